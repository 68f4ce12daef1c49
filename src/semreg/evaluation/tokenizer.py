"""A caption tokenizer in plain Python that gives the tokens of the COCO caption evaluation, without Java.

The COCO caption evaluation (Chen et al., Microsoft COCO Captions, 2015, section 4.1) tokenises with the
Stanford PTBTokenizer (Penn Treebank rules, lower case) and then drops a list of punctuation. The scores of
two papers can be compared only if their tokens agree, so this file follows that result, oddities included:

* brackets stay, as ``-lrb-`` and ``-rrb-``: the evaluation's list names them in upper case, after lowering;
* runs such as ``!!!`` or ``?!`` stay, a single ``!`` or ``?`` goes;
* a full stop without a space behind it joins two words: ``street.a``; an abbreviation keeps its own:
  ``ave.``.
"""

from __future__ import annotations

import re

_END = r"(?![\w]|[-/&.]\w|['’]s)"  # the word ends here, and no hyphen, slash or possessive makes it longer
_WORD = r"[^\W_]+"  # letters and digits of any script
_LETTER = r"[^\W\d_]"
_COMPOUND = rf"{_WORD}(?:(?:\.?[-‐‑]|_+){_WORD})*"  # snow-covered, u.s.-made, 5-year-old, file_name
_SUFFIX = rf"(?i:s|m|d|ll|re|ve)(?!{_LETTER})"  # behind the apostrophe of a possessive or a short verb

# Abbreviations keep their full stop. Those before a name or a number:
_BEFORE_A_NAME = (
    "adj|adm|adv|alex|assoc|asst|atty|attys|ave|brig|capt|cf|cie|cmdr|col|cpl|dept|det|dr|drs|elec|ens|ft|gen"
    "|gov|govs|hon|insp|invt|jos|lieut|lt|maj|messrs|mfg|mlle|mme|mr|mrs|ms|msgr|mt|mtg|natl|pfc|ph|pres|prof"
    "|pvt|rep|reps|rev|sen|sens|sfc|sgt|spc|st|ste|supt|vs"
)
# Those that may end a sentence:
_BEHIND_A_NAME = (
    "al|ala|apr|ariz|assn|aug|bhd|bldg|blvd|bros|calif|co|colo|conn|corp|cos|ct|dak|dec|esq|est|etc|ext|feb|fla"
    "|fri|ga|inc|ind|intl|jan|jr|jul|jun|kan|kans|ky|ltd|mar|md|mich|minn|mo|mon|mont|neb|nev|nov|oct|okla|penn"
    "|plc|ppte|ppty|pte|ptes|pty|ptys|rd|rt|sep|sept|seq|sq|sr|sys|tel|tenn|thu|thurs|tue|tues|univ|va|vt"
)
# States, with a capital only: "miss." is the end of a sentence.
_STATES = "Ark|ARK|Az|AZ|Del|DEL|Ill|ILL|La|LA|Mass|MASS|Miss|MISS|Ore|ORE|Pa|PA|Tex|TEX|Wash|WASH"
# "no. 5", but not "no.":
_BEFORE_A_NUMBER = "art|ca|fig|figs|no|nos|op|pp|prop"
# Before one of these the full stop of a single letter ends a sentence: "exit B. The".
_SENTENCE_STARTERS = (
    "A|About|After|An|As|At|But|He|Her|Here|However|If|In|It|Last|Many|More|Now|Once|One|Other|Our|She|Since|So"
    "|Some|Such|That|The|Their|Then|There|These|They|This|We|What|When|While|Yet|You"
)

# Everything that is a token; what no alternative matches (spaces, full stops, commas, quotes) is dropped.
_TOKEN = re.compile(
    "|".join(
        (
            # The two halves of words written as one: can not, gon na, 't is, more 'n.
            rf"(?i:can(?=not{_END})|gon(?=na{_END})|got(?=ta{_END})|wan(?=na{_END})|gim(?=me{_END})|lem(?=me{_END}))",
            rf"(?i:more(?='n{_END}))",
            # Plain words, the usual case: what follows must leave them whole.
            rf"{_LETTER}+(?=[\s,]|$)",
            # What an apostrophe cuts off, and the words that keep theirs.
            rf"(?i:n['`]t(?!{_LETTER}))",
            rf"(?:(?!(?i:n['`]t)){_LETTER})+(?=(?i:n['`]t))",
            rf"'{_SUFFIX}",
            r"['’](?i:till?|em|cause|n['’]|n(?!\w))|'t(?=(?i:is|was))",
            r"(?<!\w)['’]\d\ds?(?!\w)",
            rf"(?:[DLNOdlno]['’]{_LETTER}{{2,}}|(?i:{_LETTER}+[aeiouy]['’][aeiou]){_LETTER}*"
            rf"|[A-Z]['’](?!{_SUFFIX}|N')[A-Z]{_LETTER}+|(?i:c'mon|c'est|s'mores?|ev'ry|e'er|li'l))(?:-{_WORD})*",
            rf"[DJLdjl]'(?!{_SUFFIX})|[Yy]'(?={_LETTER})|(?i:ol')",
            # Addresses and tags.
            r"https?://[^\s<>\"(){}]*[^\s<>\"(){}.,;:!?']",
            rf"{_WORD}[\w.+-]{{0,64}}@{_WORD}(?:[.-]{_WORD})*|[@#]{_LETTER}\w*|</?{_LETTER}[^\s<>]*>",
            # Full stops that belong to a word.
            rf"(?:(?i:{_BEHIND_A_NAME})|{_STATES})\.(?!{_LETTER}(?:{_LETTER}|[-.]{_LETTER}))",
            rf"{_LETTER}(?:\.{_LETTER})+(?:\.(?:-{_WORD})*(?!\w)|(?!\.?{_LETTER}))",
            rf"{_LETTER}+(?:[.!?]{_LETTER}[^\W_]*(?:-{_WORD})*)+",
            rf"{_LETTER}\.(?!-?\w|\s*$|\s+(?:{_SENTENCE_STARTERS})\s)",
            rf"(?i:{_BEFORE_A_NAME})\.(?!-\w)",
            rf"(?i:{_BEFORE_A_NUMBER})\.(?=\s*\d)",
            rf"{_LETTER}+\.(?=[,;:])",
            # Numbers, compounds and words.
            r"(?<![-+])[-+]?\d*(?:[.,:]\d+)+|(?<!-)[-+]\d+(?!\w)",
            r"[A-Z]+(?:&[A-Z]+)+|(?i:c\+\+|c#)|[A-Z]+\$",
            rf"{_WORD}(?:-{_WORD})?(?:/{_WORD}(?:-{_WORD})?){{1,2}}|{_COMPOUND}",
            # Signs that are kept.
            r"[<>]?[:;=][-o*']?[()DPp](?=\s)|[?!]{2,}|\*+|#+|_+|[^\w\s.,:;?!'\"`“”‘’«»‹›–—―…-]",
        )
    )
)

_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&nbsp;": " "}
_ENTITY = re.compile("|".join(_ENTITIES), re.IGNORECASE)
_BEYOND_UNICODE_16 = re.compile(r"[\U00010000-\U0010ffff]")  # emoji and the like: the reference drops them
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_BRACKET = re.compile(r"[()\[\]{}]")
_CURLY_SUFFIX = re.compile(rf"(?<=\w)’(?={_SUFFIX}|(?<=n’)t)|(?<!\S)’(?={_SUFFIX})")
_ODD_SIGNS = str.maketrans(
    {"¢": " cents ", "£": "#", "€": "$", "½": " 1/2 ", "¼": " 1/4 ", "¾": " 3/4 ", "⅓": " 1/3 ", "⅔": " 2/3 "}
    | dict.fromkeys("\u200b\u200e\u200f\ufeff", " ")
    | {"\xad": ""}
)

# Nearly every caption is plain words, spaces, commas and a full stop at its end. Cut at the spaces it gives the same
# tokens thirty times as fast, unless it has a word that is cut in two, or may end in an abbreviation.
_PLAIN = re.compile(r"[A-Za-z ,]*[A-Za-z]\s*\.?\s*")
_CUT_IN_TWO = frozenset(("cannot", "gonna", "gotta", "wanna", "gimme", "lemme"))
_KEEPS_ITS_STOP = frozenset(f"{_BEFORE_A_NAME}|{_BEHIND_A_NAME}|{_STATES.lower()}|{_BEFORE_A_NUMBER}".split("|"))


def tokenize(caption: str) -> list[str]:
    """The lower-case tokens of a caption, without punctuation, as the COCO caption evaluation cuts it.

    The tokens are those of ``pycocoevalcap.tokenizer.PTBTokenizer`` (Stanford PTBTokenizer 3.4.1 with
    ``-preserveLines -lowerCase``) split at white space, for every caption of COCO val2017 and Flickr8k; line
    breaks count as spaces. Two things differ by intent or rarity: where a caption ends in a single letter and
    a full stop ("exit K.") the reference looks at the first word of the *next* caption, here it is taken to
    begin a sentence; and signs in the middle of a word may be cut elsewhere.

    Args:
        caption: any text, also an empty one.

    Returns:
        The tokens in order; an empty list for a caption without any.
    """
    if _PLAIN.fullmatch(caption):
        bare = caption.rstrip()
        words = bare.removesuffix(".").lower().replace(",", " ").split()
        if _CUT_IN_TWO.isdisjoint(words) and not (bare.endswith(".") and words[-1] in _KEEPS_ITS_STOP):
            return words
    return _tokenize(caption)


def _tokenize(caption: str) -> list[str]:
    """The tokens of any caption, by the whole set of rules."""
    text = caption
    if not text.isascii():
        text = _CURLY_SUFFIX.sub("'", text.translate(_ODD_SIGNS))
        text = _BEYOND_UNICODE_16.sub("", text)
    if "&" in text:
        text = _ENTITY.sub(lambda entity: _ENTITIES[entity[0].lower()], text)
    tokens = [token.lower() for token in _TOKEN.findall(text)]
    if _BRACKET.search(text):
        return [_BRACKET.sub(lambda bracket: _BRACKETS[bracket[0]], token) for token in tokens]
    return tokens

"""Metadata inside picture files: read what is said of a picture, write what the machine says, take it back.

Pure functions on the bytes of a file; docs/metadata.md says what is written where. `written` follows this
table. "Tags" are dc:subject and lr:hierarchicalSubject together, "caption" is dc:description; "machine's" is
what semreg's own record in the file claims and what still stands there as semreg wrote it, all else is a
human's. A field that is left keeps all it has, an earlier machine's part too.

| the file has                  | keep     | merge              | replace-machine    |
|-------------------------------|----------|--------------------|--------------------|
| nothing                       | written  | written            | written            |
| the machine's alone           | replaced | replaced           | replaced           |
| tags of a human               | left     | joined             | left               |
| tags of a human and machine's | left     | machine's replaced | machine's replaced |
| a caption of a human          | left     | left               | left               |

- Nothing of a human's is changed, removed or claimed: a tag that is there already (compared without case, in
  Unicode NFC) is not written again and not recorded.
- A tag or caption of the machine that a human has removed is remembered and not written again; one that a
  human has changed is the human's from then on.
- Replacing by nothing is removing: an entry without a caption takes the machine's earlier caption out.
- Model and date are of the last time something was written; a new date alone changes nothing.
"""

from semreg.metadata.difference import difference, restored
from semreg.metadata.embedding import embeds, new_sidecar, read, withdrawn, written
from semreg.metadata.entry import Entry, Existing, Known, MetadataError

__all__ = [
    "Entry",
    "Existing",
    "Known",
    "MetadataError",
    "difference",
    "embeds",
    "new_sidecar",
    "read",
    "restored",
    "withdrawn",
    "written",
]

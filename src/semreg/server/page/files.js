// What leaves the page: downloads and the clipboard.

const COLUMNS = ["file_name", "caption", "caption_score", "tags", "tag_scores", "error"];

/** A cell after RFC 4180; what a spreadsheet would compute gets an apostrophe before it. */
function cell(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Annotations as CSV, with the columns that `semreg annotate --format csv` writes. */
export function csv(records) {
  const rows = records.map(each => [
    each.file_name, each.caption?.text, each.caption?.score ?? "", each.tags.map(tag => tag.label).join("; "),
    each.tags.map(tag => tag.score).join("; "), each.error,
  ]);
  return [COLUMNS, ...rows].map(row => row.map(cell).join(",") + "\r\n").join("");
}

/** Annotations as JSON: one, or a line each. */
export function json(records) {
  return records.length === 1 ? JSON.stringify(records[0], null, 1) + "\n" : records.map(each => JSON.stringify(each) + "\n").join("");
}

/** Give the browser a file to save. */
export function save(text, name, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Put text on the clipboard, where the page is allowed to, else by way of a selection. */
export async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "hidden";
  document.body.append(area);
  const before = document.activeElement;
  area.select();
  document.execCommand("copy");
  area.remove();
  before?.focus();
}

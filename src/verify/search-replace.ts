/**
 * SEARCH/REPLACE edits, as SWE-RL asks for them, and the files they make.
 *
 *   ```python
 *   ### path/of/file.py
 *   <<<<<<< SEARCH
 *   old lines
 *   =======
 *   new lines
 *   >>>>>>> REPLACE
 *   ```
 */

export interface Edit {
  readonly path: string;
  readonly search: string;
  readonly replace: string;
}

const SEARCH = "\n<<<<<<< SEARCH\n";
const DIVIDER = "\n=======\n";
const REPLACE = "\n>>>>>>> REPLACE\n```";
/** A file that an edit inflates beyond this is no edit. */
const MAX_FILE_CHARS = 4_000_000;
/** Characters searched by all edits of a patch: two hundred edits of a file of 100,000. */
const MAX_SEARCHED_CHARS = 20_000_000;

/** In their order; text around them is passed over. Takes linear time, whatever the text. */
export function parseEdits(text: string): Edit[] {
  const edits: Edit[] = [];
  let from = 0;
  for (let mark = text.indexOf(SEARCH); mark !== -1; mark = text.indexOf(SEARCH, Math.max(mark + 1, from - 1))) {
    const heading = text.lastIndexOf("\n", mark - 1);
    const path = text.slice(heading + 1, mark);
    const fenceLine = heading === -1 ? -1 : text.lastIndexOf("\n", heading - 1) + 1;
    if (heading === -1 || !path.startsWith("### ")) continue;
    // The fence of the edit before cannot open this one too.
    const fence = text.indexOf("```", Math.max(fenceLine, from));
    if (fence === -1) break;
    if (fence >= heading) continue;
    const start = mark + SEARCH.length;
    const divider = text.indexOf(DIVIDER, start);
    const end = divider === -1 ? -1 : text.indexOf(REPLACE, divider + DIVIDER.length);
    // No edit that begins later can end either.
    if (end === -1) break;
    const [search, replace] = [text.slice(start, divider), text.slice(divider + DIVIDER.length, end)];
    edits.push({ path: path.slice("### ".length), search, replace });
    from = end + REPLACE.length;
  }
  return edits;
}

/**
 * The new contents of the files that the edits touch, by path; a path that `files` lacks is an empty file. null when an edit changes
 * nothing, looks for lines that are not there, or costs or inflates beyond measure. Every occurrence is replaced, as in the source.
 */
export function applyEdits(files: ReadonlyMap<string, string>, edits: readonly Edit[]): Map<string, string> | null {
  const changed = new Map<string, string>();
  let numSearched = 0;
  for (const { path, search, replace } of edits) {
    if (search === replace) return null;
    // A line break in front of both, so that only whole lines from their beginning are found.
    const content = `\n${changed.get(path) ?? files.get(path) ?? ""}`;
    numSearched += content.length;
    if (numSearched > MAX_SEARCHED_CHARS) return null;
    const pieces = content.split(`\n${search}`);
    const numFound = pieces.length - 1;
    if (numFound === 0 || content.length + numFound * replace.length > MAX_FILE_CHARS) return null;
    changed.set(path, pieces.join(`\n${replace}`).slice(1));
  }
  return changed;
}

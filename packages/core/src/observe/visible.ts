/** What senders wrote, made fit to be shown: nothing of it may steer a terminal, or turn or hide what stands beside it. */

/** Control characters, those that change the direction of writing, those that cannot be seen, and halves of pairs. */
const unsafe =
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  /[\u0000-\u001F\u007F-\u009F\u061C\u200B-\u200F\u2028-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

const escapeOf = (character: string): string =>
  `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;

/** On one line. What is unsafe stands as `\u{…}`. */
export function visible(text: string): string {
  return text.replaceAll(unsafe, escapeOf);
}

/** The same, but line breaks and tabs stay as they are. */
export function visibleLines(text: string): string {
  return text.replaceAll(unsafe, (character) =>
    character === "\n" || character === "\t" ? character : escapeOf(character),
  );
}

/** Longer JSON stays in one line: indented, it may grow a hundredfold. */
const indentedCharactersMax = 65_536;

/** JSON in which nothing stands as it is that is unsafe. It is the same JSON. `space` indents what is not too long. */
export function visibleJson(value: unknown, space?: number): string {
  const text = JSON.stringify(value);
  const isIndented = space !== undefined && text.length <= indentedCharactersMax;
  return (isIndented ? JSON.stringify(value, undefined, space) : text)
    .split("\n")
    .map((line) =>
      line.replaceAll(
        unsafe,
        (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
      ),
    )
    .join("\n");
}

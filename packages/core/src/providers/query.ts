/**
 * Query strings as the senders of this world nest them: brackets, `[]`, `[0]`, dots. Bounded, total, and without
 * prototypes: names such as `__proto__` are dropped.
 */

/** More than fit into the longest head that Node reads by default. */
const pairsMax = 10_000;
const depthMax = 8;
const forbidden: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** Decoded pairs in order; `+` is a space, and a broken escape stays as it stands. */
export function pairsOf(query: string): readonly (readonly [name: string, value: string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (const part of query.split("&", pairsMax)) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    pairs.push(
      equals === -1
        ? [decode(part), ""]
        : [decode(part.slice(0, equals)), decode(part.slice(equals + 1))],
    );
  }
  return pairs;
}

/** The pairs of a form; undefined for more than are read: a part of what was sent is not what was sent. */
export function formPairsOf(form: string): ReturnType<typeof pairsOf> | undefined {
  return form.split("&", pairsMax + 1).length > pairsMax ? undefined : pairsOf(form);
}

/** A nested value of a query: text, list or record. */
type QueryValue = string | QueryValue[] | { [name: string]: QueryValue };

/** Pairs as nested records. A plain name that repeats keeps its last value; records with keys 0…n become lists. */
export function nest(
  pairs: readonly (readonly [name: string, value: string])[],
): Record<string, QueryValue> {
  const root = emptyNode();
  for (const [name, value] of pairs) {
    const path = pathOf(name);
    if (path !== undefined) place(root, path, value);
  }
  return recordOf(root);
}

interface Node {
  readonly children: Map<string, Node>;
  value: string | undefined;
}

const emptyNode = (): Node => ({ children: new Map(), value: undefined });

/** `a[b][]` and `a.b[0]` as segments, an empty one for `[]`; undefined for a name that is refused. */
function pathOf(name: string): readonly string[] | undefined {
  const path: string[] = [];
  for (const match of name.matchAll(/\[([^[\]]*)\]|([^.[\]]+)/g)) {
    path.push(match[1] ?? match[2] ?? "");
  }
  const refused = path.length === 0 || path.length > depthMax || path.some((s) => forbidden.has(s));
  return refused ? undefined : path;
}

function place(root: Node, path: readonly string[], value: string): void {
  let node = root;
  for (const [depth, segment] of path.entries()) {
    const name = segment === "" ? listSlot(node, path[depth + 1]) : segment;
    let child = node.children.get(name);
    if (child === undefined) {
      child = emptyNode();
      node.children.set(name, child);
    }
    node = child;
  }
  node.value = value;
}

/** For `[]`: a new slot, or the last one while it still lacks the name that follows (records in a list, as Rails writes). */
function listSlot(list: Node, following: string | undefined): string {
  const last = list.children.size - 1;
  const open = following !== undefined && following !== "" && last >= 0;
  const lacks = open && list.children.get(String(last))?.children.has(following) === false;
  return String(lacks ? last : last + 1);
}

function valueOf(node: Node): QueryValue {
  if (node.children.size === 0) return node.value ?? "";
  const isList = [...node.children.keys()].every((name, index) => name === String(index));
  return isList ? [...node.children.values()].map(valueOf) : recordOf(node);
}

function recordOf(node: Node): Record<string, QueryValue> {
  const record: Record<string, QueryValue> = {};
  for (const [name, child] of node.children) record[name] = valueOf(child);
  return record;
}

/** Percent escapes, and `+` for a space. Of bytes that are no UTF-8 the escapes stay; nothing is thrown, and nothing repeated. */
function decode(text: string): string {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!spaced.includes("%")) return spaced;
  const decoded = unescaped(spaced, 0xff);
  return decoded.includes("\uFFFD") && !spaced.includes("\uFFFD")
    ? unescaped(spaced, 0x7f)
    : decoded;
}

const percent = 0x25;

/** With the escapes of bytes up to `byteMax` replaced. */
function unescaped(text: string, byteMax: number): string {
  const bytes = Buffer.from(text, "utf8");
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] === percent ? escapeAt(bytes, at) : undefined;
    const isEscape = byte !== undefined && byte <= byteMax;
    bytes[length++] = isEscape ? byte : (bytes[at] ?? 0);
    if (isEscape) at += 2;
  }
  return bytes.toString("utf8", 0, length);
}

function escapeAt(bytes: Buffer, at: number): number | undefined {
  const high = hexOf(bytes[at + 1]);
  const low = hexOf(bytes[at + 2]);
  return high === undefined || low === undefined ? undefined : high * 16 + low;
}

function hexOf(byte = 0): number | undefined {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : undefined;
}

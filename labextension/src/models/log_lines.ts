/** The arithmetic and the text of a log's lines: the position of each line, and the text that is shown. */

/** The height of one line, in pixels. */
export const LINE_HEIGHT = 18;
/** The greatest height that is given to an element, in pixels: Firefox stops at 17.8 million, Chromium at 33 million. */
export const MOST_HEIGHT = 10_000_000;
/** Characters that are shown of one line. A longer one would make every frame slow; the file has it whole. */
export const MOST_CHARACTERS = 4000;

/**
 * Where lines stand in a box that scrolls.
 *
 * `top` is in pixels of the whole log; `scroll` is the scroll bar's position. The two are the same until the log is
 * higher than a browser allows: from there on one pixel of the scroll bar stands for more than one of the log.
 */
export class LogGeometry {
  /**
   * @param lines - How many lines there are.
   * @param viewport - The height of the box, in pixels.
   */
  constructor(
    readonly lines: number,
    readonly viewport: number
  ) {
    this.whole = lines * LINE_HEIGHT;
    this.height = Math.min(this.whole, MOST_HEIGHT);
    this.isScaled = this.whole > this.height;
    this.mostTop = Math.max(0, this.whole - viewport);
    this.mostScroll = Math.max(0, this.height - viewport);
  }

  /** The height of all lines, in pixels. */
  readonly whole: number;
  /** The height of the element that is scrolled, in pixels. */
  readonly height: number;
  /** Whether one pixel of the scroll bar stands for more than one of the log. */
  readonly isScaled: boolean;
  /** The greatest `top`. */
  readonly mostTop: number;
  /** The greatest position of the scroll bar. */
  readonly mostScroll: number;

  /** Keep a `top` within the log. */
  clamp(top: number): number {
    return Math.min(Math.max(0, top), this.mostTop);
  }

  /** What the scroll bar's position stands for. */
  toTop(scroll: number): number {
    return this.isScaled
      ? this.clamp((scroll / this.mostScroll) * this.mostTop)
      : this.clamp(scroll);
  }

  /** Where the scroll bar has to stand. */
  toScroll(top: number): number {
    const wanted = this.clamp(top);
    return this.isScaled ? (wanted / this.mostTop) * this.mostScroll : wanted;
  }

  /** The lines that are seen, also in part: the first, and the one behind the last. */
  seen(top: number): [number, number] {
    const from = this.clamp(top);
    const first = Math.floor(from / LINE_HEIGHT);
    return [first, Math.min(this.lines, Math.ceil((from + this.viewport) / LINE_HEIGHT))];
  }

  /** The `top` at which a line is seen; the present one if it is seen already. */
  reveal(line: number, top: number): number {
    const from = this.clamp(top);
    const start = line * LINE_HEIGHT;
    const isSeen = start >= from && start + LINE_HEIGHT <= from + this.viewport;
    return isSeen ? from : this.clamp(start - Math.floor(this.viewport / 3));
  }
}

// ECMA-48: control sequences (colours, cursor), operating system commands (links, titles), and other escapes.
// eslint-disable-next-line no-control-regex
const ANSI = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\^_])/g;
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f]/g;

/** A text without the codes that colour it or move the cursor. */
export function stripAnsi(text: string): string {
  return text.replace(ANSI, '');
}

/** A line as it is shown: without control characters, and not longer than a browser lays out quickly. */
export function shownLine(line: string): string {
  // A line of many megabytes must not be searched for codes whole.
  const start = line.length > 4 * MOST_CHARACTERS ? line.slice(0, 4 * MOST_CHARACTERS) : line;
  const plain = stripAnsi(start).replace(CONTROLS, '');
  return plain.length > MOST_CHARACTERS || start !== line
    ? `${plain.slice(0, MOST_CHARACTERS)}…`
    : plain;
}

/** A piece of a line, and whether it is what was searched for. */
export interface IPiece {
  readonly text: string;
  readonly isMatch: boolean;
}

/** A line in pieces: what was searched for, and what stands between. Capital and small letters are the same. */
export function pieces(line: string, wanted: string): IPiece[] {
  if (!wanted) {
    return [{ text: line, isMatch: false }];
  }
  const pattern = new RegExp(wanted.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'), 'giu');
  const found: IPiece[] = [];
  let from = 0;
  for (const match of line.matchAll(pattern)) {
    if (match.index > from) {
      found.push({ text: line.slice(from, match.index), isMatch: false });
    }
    found.push({ text: match[0], isMatch: true });
    from = match.index + match[0].length;
  }
  if (from < line.length || !found.length) {
    found.push({ text: line.slice(from), isMatch: false });
  }
  return found;
}

import { describe, expect, test } from 'vitest';

import {
  LINE_HEIGHT,
  LogGeometry,
  MOST_HEIGHT,
  pieces,
  shownLine,
  stripAnsi
} from '../src/models/log_lines';

describe.each([10, 1000, 1_000_000, 50_000_000])('a log of %i lines', lines => {
  const geometry = new LogGeometry(lines, 270);

  test('is not higher than any browser allows', () => {
    expect(geometry.height).toBeLessThanOrEqual(MOST_HEIGHT);
  });

  test('shows its first line at the top and its last line at the bottom of the scroll bar', () => {
    expect(geometry.seen(geometry.toTop(0))[0]).toBe(0);
    expect(geometry.seen(geometry.toTop(geometry.mostScroll))[1]).toBe(lines);
  });

  test('shows every line at some whole pixel of the scroll bar', () => {
    const steps = Math.min(geometry.mostScroll, 3000);
    let behind = geometry.seen(0)[1];
    for (const start of [
      0,
      Math.floor(geometry.mostScroll / 2),
      Math.max(0, geometry.mostScroll - steps)
    ]) {
      behind = geometry.seen(geometry.toTop(start))[1];
      for (
        let scroll = start + 1;
        scroll <= Math.min(start + steps, geometry.mostScroll);
        scroll++
      ) {
        const [first, next] = geometry.seen(geometry.toTop(scroll));
        expect(first).toBeLessThanOrEqual(behind);
        expect(next).toBeGreaterThanOrEqual(behind);
        behind = next;
      }
    }
  });

  test('comes back to the same place from where the scroll bar was put', () => {
    for (const part of [0, 0.1, 0.5, 0.99, 1]) {
      const top = geometry.mostTop * part;
      expect(Math.abs(geometry.toTop(geometry.toScroll(top)) - top)).toBeLessThan(0.01);
    }
  });

  test('shows each line that is revealed whole', () => {
    for (const line of [0, 1, Math.floor(lines / 3), lines - 2, lines - 1]) {
      const top = geometry.reveal(line, 0);
      expect(line * LINE_HEIGHT).toBeGreaterThanOrEqual(top);
      expect((line + 1) * LINE_HEIGHT).toBeLessThanOrEqual(top + geometry.viewport);
    }
  });
});

test('an empty log has no lines to show', () => {
  expect(new LogGeometry(0, 270).seen(0)).toEqual([0, 0]);
});

test('a line loses its colours, links and control characters, and stays text', () => {
  const line = '\u001b[1;31mred\u001b[0m \u001b]8;;http://x\u0007link\u001b]8;;\u0007 <b>\u0008\r';
  expect(shownLine(line)).toBe('red link <b>');
  expect(stripAnsi('no codes')).toBe('no codes');
});

test('a line of megabytes is cut', () => {
  expect(shownLine('x'.repeat(5_000_000)).length).toBeLessThan(5000);
});

test('what was searched for is marked wherever it stands, in capital and small letters', () => {
  expect(pieces('Loss loss LOSS', 'loss').filter(piece => piece.isMatch)).toHaveLength(3);
  expect(
    pieces('a Loss', 'loss')
      .map(piece => piece.text)
      .join('')
  ).toBe('a Loss');
});

test.each(['.*', '(', '[a-z]', '\\d', 'a-b', 'a/b', '$', '^', '{1}', '|'])(
  '%s is searched for as it is written',
  text => {
    expect(pieces(`1 ${text} 2`, text)).toEqual([
      { text: '1 ', isMatch: false },
      { text, isMatch: true },
      { text: ' 2', isMatch: false }
    ]);
  }
);

/** Sizes as people read them. */
import type { TranslationBundle } from '@jupyterlab/translation';

const STEP = 1000;

/** A number of bytes, such as 12.3 MB. */
export function readableSize(bytes: number, trans: TranslationBundle): string {
  const units = [
    (number: string) => trans.__('%1 B', number),
    (number: string) => trans.__('%1 kB', number),
    (number: string) => trans.__('%1 MB', number),
    (number: string) => trans.__('%1 GB', number),
    (number: string) => trans.__('%1 TB', number)
  ];
  let number = bytes;
  let unit = 0;
  while (Math.round(number * 10) / 10 >= STEP && unit < units.length - 1) {
    number /= STEP;
    unit += 1;
  }
  // A number stays on the line of its unit.
  const text = units[unit]?.(unit ? number.toFixed(1) : String(bytes)) ?? '';
  return text.replaceAll(' ', '\u00a0');
}

/** What a text means that was typed for a parameter of a notebook. */
import type { IParameter, Json } from '../types';

/** The words that Python writes otherwise than JSON. A text 'False' would count as true in a notebook. */
const WORDS: Readonly<Record<string, Json>> = { True: true, False: false, None: null };

/**
 * The value of a typed text: a text for a parameter that is one, else what JSON reads; whatever it does not read is
 * left as it was typed, for the server to judge.
 *
 * @param text - What was typed.
 * @param parameter - The parameter that it is for.
 */
export function typedValue(text: string, parameter: IParameter): Json {
  const trimmed = text.trim();
  if (isText(parameter)) {
    if (trimmed === 'None' && /None|Optional/.test(parameter.type)) {
      return null;
    }
    return trimmed === '""' || trimmed === "''" ? '' : text;
  }
  if (Object.hasOwn(WORDS, trimmed)) {
    return WORDS[trimmed] ?? null;
  }
  try {
    return JSON.parse(trimmed) as Json;
  } catch {
    const quoted = /^'([^'\\]*)'$/.exec(trimmed);
    return quoted ? (quoted[1] ?? '') : text;
  }
}

/** Whether a parameter is a text: it is declared as one, or its own value is one. */
function isText(parameter: IParameter): boolean {
  const type = parameter.type.replace(/\s/g, '');
  if (type !== '') {
    return /^(?:str|Optional\[str\]|str\|None|None\|str)$/.test(type);
  }
  return /^(['"]).*\1$/s.test(parameter.default.trim());
}

/** What a property of the settings' JSON schema means for a form. */
import type { ISetting, Json } from '../types';

/** What a field is made with. */
export interface IFieldKind {
  readonly control: 'choice' | 'switch' | 'number' | 'text' | 'fixed';
  /** The choices, without null. */
  readonly choices: readonly Json[];
  /** Whether it may be empty. */
  readonly isNullable: boolean;
}

/** Tell what a field is made with. */
export function kindOf(property: ISetting): IFieldKind {
  const parts = property.anyOf ?? [property];
  const isNullable = parts.some(
    part => part.type === 'null' || part.const === null || part.enum?.includes(null)
  );
  const values = parts.filter(part => part.type !== 'null');
  const choices = values
    .flatMap(part => part.enum ?? (part.const !== undefined ? [part.const] : []))
    .filter(choice => choice !== null);
  const types = new Set(values.map(part => part.type));
  const one = choices.length === 1 && !isNullable && values.every(part => !part.enum);
  const control = one
    ? 'fixed'
    : choices.length > 0
      ? 'choice'
      : types.has('boolean') && types.size === 1
        ? 'switch'
        : types.has('integer') || types.has('number')
          ? 'number'
          : 'text';
  return { control, choices, isNullable };
}

/** Make of what was typed the value that is sent; what is no such value goes as text, and the server says why not. */
export function valueOf(text: string, kind: IFieldKind): Json {
  if (text === '' && kind.isNullable) {
    return null;
  }
  if (kind.control === 'choice') {
    return kind.choices.find(choice => textOf(choice) === text) ?? text;
  }
  // Only where the number is written as it would be shown: 1.0 must stay 1.0 while 1.05 is being typed.
  return kind.control === 'number' && text !== '' && String(Number(text)) === text
    ? Number(text)
    : text;
}

/** Write a value as text. */
export function textOf(value: Json): string {
  return value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
}

/** Texts of the server in the user's language. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { ApiError } from '../api';

/**
 * Translate a text of the server: a label of the settings, a check's title, a message.
 *
 * One that the catalogue does not have, such as a message with names in it, stays as it is.
 *
 * @param text - The text.
 * @param trans - The translations.
 */
export function serverText(text: string, trans: TranslationBundle): string {
  // To the translator '' is the catalogue's header, and '%' begins a place for a value: %%fairing_azure lost one.
  return text === '' || text.includes('%') ? text : trans.__(text);
}

/** An error as one line of text: what failed, and what to do next. */
export function errorText(error: ApiError, trans: TranslationBundle): string {
  return `${serverText(error.message, trans)} ${serverText(error.hint, trans)}`.trim();
}

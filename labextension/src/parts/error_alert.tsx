/** A live region for errors. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { ApiError } from '../api';
import { ErrorMessage } from './message';

/** An error, if there is one, and a button to try again where that may help. */
export function ErrorAlert(props: {
  readonly error: ApiError | null;
  readonly trans: TranslationBundle;
  readonly onRetry?: () => void;
}): JSX.Element {
  const { error, trans, onRetry } = props;
  // The region stands there before its text does, so that a screen reader says the text.
  return (
    <div role="alert">
      {error && <ErrorMessage error={error} trans={trans} onRetry={onRetry} />}
    </div>
  );
}

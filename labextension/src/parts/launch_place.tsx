/** Where a launch will run. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IResolved } from '../types';
import { Message } from './message';
import { serverText } from './server_text';

/** Where a launch runs with the settings in force, and what of them is missing or wrong. */
export function LaunchPlace({
  resolved,
  trans
}: {
  readonly resolved: IResolved | null;
  readonly trans: TranslationBundle;
}): JSX.Element {
  const problems = resolved ? resolved.errors.map(error => serverText(error.message, trans)) : [];
  const missing = resolved?.missing ?? [];
  if (missing.length) {
    problems.push(trans._n('Missing: %2.', 'Missing: %2.', missing.length, missing.join(', ')));
  }
  const namespace = resolved?.values['namespace'];
  return (
    <div role="status">
      {resolved && (
        <p className="jp-fairing-az-place">
          {resolved.values['backend'] === 'LocalBackend'
            ? trans.__('Runs on this machine.')
            : typeof namespace === 'string' && namespace
              ? trans.__('Runs in the cluster, namespace %1.', namespace)
              : trans.__('Runs in the cluster, in the namespace of this notebook server.')}
        </p>
      )}
      {problems.length > 0 && (
        <Message kind="warning" trans={trans}>
          {trans.__('Settings are incomplete:')} {problems.join(' ')}{' '}
          {trans.__('Set them under Settings.')}
        </Message>
      )}
    </div>
  );
}

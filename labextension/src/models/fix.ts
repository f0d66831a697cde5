/** How the panel fixes a failed check: as the check's own command does. */
import type { ICheckResult } from '../types';

/** Name the registry's Secret in the service account. */
export interface IAttachRequest {
  readonly kind: 'attach';
}

/** Make or renew the Secrets. */
export interface ISecretsFixRequest {
  readonly kind: 'secrets';
  readonly azure: boolean;
  readonly acr: boolean;
  readonly only_secret: boolean;
  readonly replace: boolean;
}

/** What the panel can do about a failed check. */
export type IFixRequest = IAttachRequest | ISecretsFixRequest;

/**
 * Return how the panel can fix what a check has found.
 *
 * The server suggests a command such as `fairing-azure secrets create --acr`; this reads it, so that the panel does
 * what the command would do.
 *
 * @param result - What the check has found.
 * @returns What to do; null if the panel can't fix it.
 */
export function fixRequestOf(result: ICheckResult): IFixRequest | null {
  if (!result.mendable) {
    return null;
  }
  for (const fix of result.cures) {
    const [program, group, action, ...flags] = fix.command.split(/\s+/);
    if (fix.tool !== 'fairing-azure' || program !== 'fairing-azure' || group !== 'secrets') {
      continue;
    }
    if (action === 'attach') {
      return { kind: 'attach' };
    }
    if (action === 'create' || action === 'rotate') {
      const azure = flags.includes('--azure');
      const acr = flags.includes('--acr');
      return {
        kind: 'secrets',
        azure: azure || !acr,
        acr: acr || !azure,
        only_secret: action === 'rotate',
        replace: flags.includes('--replace')
      };
    }
  }
  return null;
}

/** How the panel fixes a failed check: as the check's own command does. */
import type { ICheckResult } from '../types';

/** Name the registry's Secret in the service account. */
export interface IAttachFix {
  readonly kind: 'attach';
}

/** Make or renew the Secrets. */
export interface ISecretsFix {
  readonly kind: 'secrets';
  readonly azure: boolean;
  readonly acr: boolean;
  readonly only_secret: boolean;
  readonly replace: boolean;
}

/** What the panel can do about a failed check. */
export type IFix = IAttachFix | ISecretsFix;

/**
 * Return how the panel can fix what a check has found.
 *
 * The server suggests a command such as `fairing-azure secrets create --acr`; this reads it, so that the panel does
 * what the command would do.
 *
 * @param result - What the check has found.
 * @returns What to do; null if the panel can't fix it.
 */
export function fixOf(result: ICheckResult): IFix | null {
  if (!result.fixable) {
    return null;
  }
  for (const remedy of result.fixes) {
    const [program, group, action, ...flags] = remedy.command.split(/\s+/);
    if (remedy.tool !== 'fairing-azure' || program !== 'fairing-azure' || group !== 'secrets') {
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

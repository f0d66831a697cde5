/** How what a check has found is mended from the panel: as the check's own cure says. */
import type { ICheckResult } from '../types';

/** Name the registry's Secret in the service account. */
export interface IAttachMend {
  readonly kind: 'attach';
}

/** Make or renew the Secrets. */
export interface ISecretsMend {
  readonly kind: 'secrets';
  readonly azure: boolean;
  readonly acr: boolean;
  readonly only_secret: boolean;
  readonly replace: boolean;
}

/** What mends a fault. */
export type IMend = IAttachMend | ISecretsMend;

/**
 * Return how what a check has found can be mended from the panel.
 *
 * The server has written a cure such as `fairing-azure secrets create --acr`; this reads it, so that the panel does
 * what the command would do.
 *
 * @param result - What the check has found.
 * @returns What to do; null if it can't be mended from here.
 */
export function mendOf(result: ICheckResult): IMend | null {
  if (!result.fixable) {
    return null;
  }
  for (const cure of result.fixes) {
    const [program, group, action, ...flags] = cure.command.split(/\s+/);
    if (cure.tool !== 'fairing-azure' || program !== 'fairing-azure' || group !== 'secrets') {
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

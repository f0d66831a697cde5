/** The section 'Settings'. */
import type { ISectionProps } from '../parts/section';

/** The section 'Settings'. */
export function SettingsSection({ trans }: ISectionProps): JSX.Element {
  return <p>{trans.__('Nothing here yet.')}</p>;
}

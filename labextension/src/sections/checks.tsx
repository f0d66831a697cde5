/** The section 'Checks'. */
import type { ISectionProps } from '../parts/section';

/** The section 'Checks'. */
export function ChecksSection({ trans }: ISectionProps): JSX.Element {
  return <p>{trans.__('Nothing here yet.')}</p>;
}

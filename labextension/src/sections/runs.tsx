/** The section 'Runs'. */
import type { ISectionProps } from '../parts/section';

/** The section 'Runs'. */
export function RunsSection({ trans }: ISectionProps): JSX.Element {
  return <p>{trans.__('Nothing here yet.')}</p>;
}

/** The section 'Launch'. */
import type { ISectionProps } from '../parts/section';

/** The section 'Launch'. */
export function LaunchSection({ trans }: ISectionProps): JSX.Element {
  return <p>{trans.__('Nothing here yet.')}</p>;
}

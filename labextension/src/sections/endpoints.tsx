/** The section 'Endpoints'. */
import type { ISectionProps } from '../parts/section';

/** The section 'Endpoints'. */
export function EndpointsSection({ trans }: ISectionProps): JSX.Element {
  return <p>{trans.__('Nothing here yet.')}</p>;
}

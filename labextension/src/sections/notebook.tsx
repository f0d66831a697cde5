/** The section 'Notebook'. */
import type { ISectionProps } from '../parts/section';

/** The section 'Notebook'. */
export function NotebookSection({ trans }: ISectionProps): JSX.Element {
  return <p>{trans.__('Nothing here yet.')}</p>;
}

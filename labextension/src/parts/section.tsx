/** A section of the panel: a heading that opens and closes it, and what is in it. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import type { ReactNode } from 'react';

import type { PanelModel } from '../models/panel';
import type { Section } from '../tokens';

/** What every section gets. */
export interface ISectionProps {
  readonly model: PanelModel;
  readonly trans: TranslationBundle;
}

/** The frame of a section. */
export function SectionFrame(props: {
  readonly name: Section;
  readonly title: string;
  readonly open: boolean;
  readonly onToggle: () => void;
  readonly children: ReactNode;
}): JSX.Element {
  const { name, title, open, onToggle, children } = props;
  const Caret = open ? caretDownIcon.react : caretRightIcon.react;
  const id = `jp-fairing-az-${name}`;
  return (
    <section className="jp-fairing-az-section" aria-labelledby={`${id}-heading`}>
      <h2 className="jp-fairing-az-heading" id={`${id}-heading`}>
        <button
          type="button"
          className="jp-fairing-az-toggle"
          aria-expanded={open}
          aria-controls={`${id}-body`}
          onClick={onToggle}
        >
          <Caret tag="span" className="jp-fairing-az-caret" />
          {title}
        </button>
      </h2>
      <div id={`${id}-body`} className="jp-fairing-az-body" hidden={!open}>
        {open ? children : null}
      </div>
    </section>
  );
}

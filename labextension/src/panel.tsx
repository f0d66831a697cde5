/** The side panel itself. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { Signal, type ISignal } from '@lumino/signaling';

import type { PanelModel } from './models/panel';
import { Boundary } from './parts/boundary';
import { SectionFrame, type ISectionProps } from './parts/section';
import { useSignals } from './parts/signals';
import { ChecksSection } from './sections/checks';
import { EndpointsSection } from './sections/endpoints';
import { LaunchSection } from './sections/launch';
import { NotebookSection } from './sections/notebook';
import { RunsSection } from './sections/runs';
import { SettingsSection } from './sections/settings';
import { SECTIONS, type Section } from './tokens';

const BODIES: Readonly<Record<Section, (props: ISectionProps) => JSX.Element>> = {
  notebook: NotebookSection,
  settings: SettingsSection,
  checks: ChecksSection,
  launch: LaunchSection,
  runs: RunsSection,
  endpoints: EndpointsSection
};

/** All sections, from top to bottom. */
export function Panel({ model, trans }: ISectionProps): JSX.Element {
  useSignals(model.sectionsChanged);
  const titles: Readonly<Record<Section, string>> = {
    notebook: trans.__('Notebook'),
    settings: trans.__('Settings'),
    checks: trans.__('Checks'),
    launch: trans.__('Launch'),
    runs: trans.__('Runs'),
    endpoints: trans.__('Endpoints')
  };
  return (
    <>
      {SECTIONS.map(name => {
        const Body = BODIES[name];
        return (
          <SectionFrame
            key={name}
            name={name}
            title={titles[name]}
            open={model.open.has(name)}
            onToggle={() => model.toggle(name)}
          >
            <Boundary trans={trans}>
              <Body model={model} trans={trans} />
            </Boundary>
          </SectionFrame>
        );
      })}
    </>
  );
}

/** The panel as a widget of JupyterLab's side bar. */
export class FairingPanel extends ReactWidget {
  constructor(
    readonly model: PanelModel,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-fairing-az-panel');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', _trans.__('Fairing on Azure'));
  }

  /** Emitted with whether somebody can see the panel, when that has changed. */
  get shown(): ISignal<this, boolean> {
    return this._shown;
  }

  /** Let everything go. */
  override dispose(): void {
    if (!this.isDisposed) {
      this.model.dispose();
      Signal.clearData(this);
      super.dispose();
    }
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._shown.emit(this.isVisible);
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._shown.emit(this.isVisible);
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._shown.emit(false);
  }

  protected override onBeforeDetach(message: Message): void {
    this._shown.emit(false);
    super.onBeforeDetach(message);
  }

  protected override render(): JSX.Element {
    return <Panel model={this.model} trans={this._trans} />;
  }

  private readonly _shown = new Signal<this, boolean>(this);
}

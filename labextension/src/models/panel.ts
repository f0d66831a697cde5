/** What the panel shows: one model for each section, and what they share. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { Api } from '../api';
import type { Section } from '../tokens';
import type { ISources } from '../types';
import { ChecksModel } from './checks';
import { DeployModel } from './deploy';
import { EndpointsModel } from './endpoints';
import { LaunchModel } from './launch';
import type { NotebookLink } from './notebook';
import { RunsModel } from './runs';
import { SettingsModel } from './settings';

/** What the panel asks of JupyterLab. */
export interface IHost {
  /** Open a document of the contents manager. */
  open(path: string): Promise<void>;
  /** Ask the user; the promise is true if the answer is yes. */
  confirm(title: string, body: string, accept: string): Promise<boolean>;
  /** Put a text on the clipboard. */
  copy(text: string): Promise<void>;
  /** Let a browser download what is at a URL of the server. */
  download(url: string, name: string): void;
  /** Say something to the user, also to one who uses a screen reader. */
  notify(message: string, kind: 'info' | 'success' | 'error'): void;
}

/** The panel's model. */
export class PanelModel implements IDisposable {
  constructor(
    readonly api: Api,
    readonly notebook: NotebookLink,
    readonly host: IHost
  ) {
    this.settings = new SettingsModel(api, notebook);
    const sources = () => this.sources();
    this.checks = new ChecksModel(api, sources);
    this.runs = new RunsModel(api);
    this.launch = new LaunchModel(api, notebook, sources, this.runs);
    this.deploy = new DeployModel(api, notebook, sources, this.runs);
    this.endpoints = new EndpointsModel(api, sources);
  }

  readonly settings: SettingsModel;
  readonly checks: ChecksModel;
  readonly runs: RunsModel;
  readonly launch: LaunchModel;
  readonly deploy: DeployModel;
  readonly endpoints: EndpointsModel;

  /** Emitted when another section was opened or closed. */
  get sectionsChanged(): ISignal<this, void> {
    return this._sectionsChanged;
  }

  /** Emitted when the model is of no use any more. */
  get disposed(): ISignal<this, void> {
    return this._disposed;
  }

  /** The sections that are open. */
  get open(): ReadonlySet<Section> {
    return this._open;
  }

  /** Open or close a section. */
  toggle(section: Section, open = !this._open.has(section)): void {
    const after = new Set(this._open);
    if (open) {
      after.add(section);
    } else {
      after.delete(section);
    }
    this._open = after;
    this._sectionsChanged.emit();
  }

  /** Where settings come from: the notebook beside the panel, the profile and the form. */
  sources(): ISources {
    return this.settings.sources();
  }

  /** Whether this object is of no use any more. */
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Let everything go. */
  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    const { settings, checks, launch, deploy, runs, endpoints } = this;
    for (const part of [settings, checks, launch, deploy, runs, endpoints]) {
      part.dispose();
    }
    this.notebook.dispose();
    this._disposed.emit();
    Signal.clearData(this);
  }

  private readonly _disposed = new Signal<this, void>(this);
  private readonly _sectionsChanged = new Signal<this, void>(this);
  private _open: ReadonlySet<Section> = new Set<Section>(['notebook', 'settings']);
  private _isDisposed = false;
}

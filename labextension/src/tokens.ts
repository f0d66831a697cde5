/** What other extensions may ask for. */
import { Token } from '@lumino/coreutils';

import type { PanelModel } from './models/panel';

/** The side panel. */
export interface IFairingPanel {
  /** What it shows. */
  readonly model: PanelModel;
  /** Show a section; the one that was open last if none is named. */
  show(section?: Section): void;
}

/** The sections of the panel, from top to bottom. */
export const SECTIONS = ['notebook', 'settings', 'checks', 'launch', 'runs', 'endpoints'] as const;

/** A section's name. */
export type Section = (typeof SECTIONS)[number];

/** The token of the side panel. */
export const IFairingPanel = new Token<IFairingPanel>(
  'fairing-az-jupyter:IFairingPanel',
  'The side panel for setting up, checking, launching and watching notebooks on Kubeflow on Azure.'
);

/** The identifiers of the commands. */
export const CommandIDs = {
  show: 'fairing-az:show',
  check: 'fairing-az:check',
  fill: 'fairing-az:fill',
  runNotebook: 'fairing-az:run-notebook',
  showRun: 'fairing-az:show-run'
} as const;

/** The panel's icon. */
import { LabIcon } from '@jupyterlab/ui-components';

/** A fairing: the nose cone of a rocket, seen from the side. */
export const fairingIcon = new LabIcon({
  name: 'fairing-az-jupyter:icon',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M12 2C8.7 5 7 8.9 7 13v3h10v-3c0-4.1-1.7-8-5-11zm0 6.2a2 2 0 1 1 0 4 2 2 0 0 1 0-4zM8 18v2l4 2 4-2v-2z"/>
</svg>`
});

/** A triangle with an exclamation mark. */
export const warningIcon = new LabIcon({
  name: 'fairing-az-jupyter:warning',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M1 21h22L12 2 1 21zm12-3h-2v-2h2v2zm0-4h-2v-4h2v4z"/>
</svg>`
});

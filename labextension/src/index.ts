/** The plugins of this extension. */
import { commandsPlugin } from './plugins/commands';
import { kernelPlugin } from './plugins/kernel';
import { panelPlugin } from './plugins/panel';
import { statusPlugin } from './plugins/status';

export * from './tokens';

export default [panelPlugin, commandsPlugin, kernelPlugin, statusPlugin];

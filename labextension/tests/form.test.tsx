import { act, fireEvent, render, screen, within } from '@testing-library/react';
import axe from 'axe-core';
import { describe, expect, it } from 'vitest';

import { ApiError, type StreamListener } from '../src/api';
import type { PanelModel } from '../src/models/panel';
import { kindOf, textOf, valueOf } from '../src/parts/property';
import { ChecksSection } from '../src/sections/checks';
import { NotebookSection } from '../src/sections/notebook';
import { SettingsSection } from '../src/sections/settings';
import {
  checkOf,
  fakeApi,
  fakeHost,
  fakeNotebook,
  fakePanel,
  planOf,
  resolvedOf,
  SETTINGS,
  trans
} from './support/fakes';

async function shown(model: PanelModel): Promise<void> {
  await act(async () => {
    await model.settings.load();
    await model.settings.update();
  });
}

async function serious(node: Element): Promise<string[]> {
  const found = await axe.run(node, { rules: { 'color-contrast': { enabled: false } } });
  return found.violations
    .filter(each => each.impact === 'serious' || each.impact === 'critical')
    .map(each => `${each.id}: ${each.nodes.map(one => one.html).join(' ')}`);
}

describe('the kinds of fields', () => {
  const nullable = kindOf(SETTINGS.azure_region);
  const whole = kindOf(SETTINGS.parallelism);

  it('come from the schema', () => {
    const kinds = Object.entries(SETTINGS).map(([name, each]) => [name, kindOf(each).control]);
    expect(Object.fromEntries(kinds)).toEqual({
      backend: 'choice',
      azure_region: 'text',
      parallelism: 'number',
      verbose: 'switch',
      version: 'fixed',
      place: 'choice'
    });
    expect(nullable.isNullable).toBe(true);
  });

  it('make numbers of what is written as one, and leave the rest to the server', () => {
    expect(valueOf('8', whole)).toBe(8);
    expect(
      ['08', '8.', '', '-', '1e3', '9007199254740993'].map(text => valueOf(text, whole))
    ).toEqual(['08', '8.', '', '-', '1e3', '9007199254740993']);
    expect(valueOf('', nullable)).toBeNull();
    expect(textOf(null)).toBe('');
  });
});

describe('the section Settings', () => {
  it('has a labelled control for each property, with its help', async () => {
    const model = fakePanel(fakeApi(), fakeNotebook(['A = 1']).link);
    const { container } = render(<SettingsSection model={model} trans={trans} />);
    await shown(model);
    expect(screen.getByLabelText('Backend')).toHaveProperty('tagName', 'SELECT');
    expect(screen.getByLabelText('Azure region')).toHaveProperty(
      'placeholder',
      'for example northeurope'
    );
    expect(screen.getByLabelText('Runs at once')).toHaveProperty('inputMode', 'numeric');
    expect(screen.getByLabelText('Say more')).toHaveProperty('type', 'checkbox');
    expect(screen.getByLabelText('Version')).toHaveProperty('readOnly', true);
    expect(screen.getByLabelText('Place').querySelectorAll('option')).toHaveLength(3);
    const help = screen.getByLabelText('Backend').getAttribute('aria-describedby') ?? '';
    expect(document.getElementById(help)?.textContent).toContain('Where training runs.');
    expect(await serious(container)).toEqual([]);
  });

  it('sends false and zero as values', async () => {
    const model = fakePanel(fakeApi(), fakeNotebook(['A = 1']).link);
    render(<SettingsSection model={model} trans={trans} />);
    await shown(model);
    const box = screen.getByLabelText('Say more');
    fireEvent.click(box);
    fireEvent.click(box);
    fireEvent.change(screen.getByLabelText('Runs at once'), { target: { value: '0' } });
    expect(Object.values(model.settings.typed)).toEqual([false, 0]);
    expect(model.settings.sources().values).toEqual(model.settings.typed);
    expect(screen.getByLabelText('Runs at once')).toHaveProperty('value', '0');
  });

  it('shows an error at its field, and its suggestion takes it over', async () => {
    const api = fakeApi({
      resolve: async sources =>
        resolvedOf(
          sources,
          sources.values['azure_region'] === 'northeurop'
            ? [
                {
                  field: 'azure_region',
                  message: 'No region.',
                  hint: '',
                  suggestion: 'northeurope'
                }
              ]
            : []
        )
    });
    const model = fakePanel(api, fakeNotebook(['A = 1']).link);
    const { container } = render(<SettingsSection model={model} trans={trans} />);
    await shown(model);
    const field = screen.getByLabelText('Azure region');
    fireEvent.change(field, { target: { value: 'northeurop' } });
    await act(() => model.settings.update());
    expect(field.getAttribute('aria-invalid')).toBe('true');
    const ids = (field.getAttribute('aria-describedby') ?? '').split(' ');
    const described = ids.map(id => document.getElementById(id)?.textContent).join(' ');
    expect(described).toContain('No region.');
    expect(await serious(container)).toEqual([]);
    fireEvent.click(screen.getByRole('button', { name: 'Use northeurope' }));
    expect(field).toHaveProperty('value', 'northeurope');
    expect(document.activeElement).toBe(field);
    await act(() => model.settings.update());
    expect(field.getAttribute('aria-invalid')).toBe('false');
  });

  it('discards what was typed, and the field keeps the keyboard', async () => {
    const model = fakePanel(fakeApi(), fakeNotebook(['A = 1']).link);
    render(<SettingsSection model={model} trans={trans} />);
    await shown(model);
    const field = screen.getByLabelText('Runs at once');
    fireEvent.change(field, { target: { value: '9' } });
    const row = field.closest('[data-field]') as HTMLElement;
    expect(within(row).getByText('form')).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'Reset' }));
    expect(field).toHaveProperty('value', '4');
    expect(document.activeElement).toBe(field);
    expect(within(row).getByText('default')).toBeTruthy();
  });

  it('shows what will change with its marks, and applies it', async () => {
    const { link, shared } = fakeNotebook(['A = 1']);
    const api = fakeApi({ fillPlan: async () => planOf('A = 1', 'A = 2') });
    const model = fakePanel(api, link);
    const { container } = render(<SettingsSection model={model} trans={trans} />);
    await shown(model);
    expect(screen.getByRole('region', { name: 'Changed lines' }).textContent).toContain('+A = 2');
    expect(await serious(container)).toEqual([]);
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: 'Apply' }));
    });
    expect(shared.getCell(0).getSource()).toBe('A = 2');
    expect(screen.getByText(/Applied. To undo, press Ctrl\+Z/)).toBeTruthy();
  });

  it('says what to do where the server extension is not there', async () => {
    const api = fakeApi({
      schema: async () => {
        throw new ApiError(404, 'http', '404 Not Found', '');
      }
    });
    const model = fakePanel(api, fakeNotebook([]).link);
    render(<SettingsSection model={model} trans={trans} />);
    await act(() => model.settings.load());
    expect(screen.getByText(/jupyter server extension enable/)).toBeTruthy();
    expect(screen.getByRole('button', { name: 'Try again' })).toBeTruthy();
  });

  it('makes a profile by keyboard alone, and Escape closes the form', async () => {
    const model = fakePanel(fakeApi(), fakeNotebook([]).link);
    render(<SettingsSection model={model} trans={trans} />);
    await shown(model);
    const opener = screen.getByRole('button', { name: 'Save as…' });
    fireEvent.click(opener);
    const name = screen.getByLabelText('Name of the profile');
    expect(document.activeElement).toBe(name);
    fireEvent.keyDown(name, { key: 'Escape' });
    expect(screen.queryByLabelText('Name of the profile')).toBeNull();
    expect(document.activeElement).toBe(opener);
  });
});

describe('the section Notebook', () => {
  it('shows the parameters as a table', async () => {
    const parameters = [
      { name: 'ALPHA', default: '0.5', type: 'float', help: '', is_setting: false }
    ];
    const api = fakeApi({ parameters: async () => ({ parameters, has_cell: true }) });
    const model = fakePanel(api, fakeNotebook(['ALPHA = 0.5'], { tag: 0 }).link);
    const { container } = render(<NotebookSection model={model} trans={trans} />);
    await shown(model);
    const row = screen.getByRole('row', { name: /ALPHA/ });
    expect(row.textContent).toBe('ALPHA0.5float');
    expect(screen.getByText('train.ipynb')).toBeTruthy();
    expect(screen.getByRole('button', { name: 'Go to the parameters cell' })).toBeTruthy();
    expect(await serious(container)).toEqual([]);
  });

  it('says what to do where no notebook is open', () => {
    const { link, tracker } = fakeNotebook([]);
    tracker.currentWidget = null;
    render(<NotebookSection model={fakePanel(fakeApi(), link)} trans={trans} />);
    expect(screen.getByText(/No notebook is open/)).toBeTruthy();
  });
});

describe('the section Checks', () => {
  const fault = checkOf({
    fixable: true,
    fixes: [
      {
        tool: 'fairing-azure',
        command: 'fairing-azure secrets create --azure',
        magic: '%fairing_azure secrets create --azure'
      }
    ]
  });

  function checking(more: Parameters<typeof fakeApi>[0] = {}) {
    const listeners: StreamListener<'checks/{check}/events'>[] = [];
    const api = fakeApi({
      startCheck: async () => 'a',
      followCheck: (_id, listener) => {
        listeners.push(listener);
        return { isDisposed: false, dispose: () => undefined };
      },
      cancelCheck: async () => undefined,
      ...more
    });
    const host = fakeHost();
    const model = fakePanel(api, fakeNotebook(['A = 1']).link, host);
    const view = render(<ChecksSection model={model} trans={trans} />);
    return { ...view, model, host, listeners };
  }

  it('shows status by word, the remedy with a copy button, and a summary', async () => {
    const { listeners, host, container } = checking();
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: 'Run checks' }));
    });
    act(() => {
      listeners[0]?.onItem(fault, '1');
      listeners[0]?.onItem(
        checkOf({ check: 'x', title: 'Other', status: 'pass', position: 1 }),
        '2'
      );
      listeners[0]?.onEnd?.({ status: 'fail', count: 2 });
    });
    expect(screen.getByText('1 failed, 1 passed')).toBeTruthy();
    expect(screen.getByRole('button', { name: /Push to the registry.*failed/ })).toBeTruthy();
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: /^Copy %fairing_azure/ }));
    });
    expect(host.messages).toContain('copied: %fairing_azure secrets create --azure');
    expect(await serious(container)).toEqual([]);
    fireEvent.click(screen.getByLabelText('Show only what needs attention'));
    expect(screen.queryByText('Other')).toBeNull();
  });

  it('says in the summary that skipped checks need the cluster', async () => {
    const { listeners } = checking();
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: 'Run checks' }));
    });
    const skipped = { status: 'skipped' as const, message: 'Skipped: needs the cluster.' };
    act(() => {
      listeners[0]?.onItem(checkOf({ check: 'cluster', status: 'fail', position: 1 }), '1');
      listeners[0]?.onItem(checkOf({ check: 'settings', status: 'pass', position: 2 }), '2');
      listeners[0]?.onItem(checkOf({ check: 'a', ...skipped, position: 3 }), '3');
    });
    expect(screen.getByText(/1 failed, 1 passed, 1 skipped \(needs the cluster\)/)).toBeTruthy();
    act(() => {
      listeners[0]?.onItem(checkOf({ check: 'b', ...skipped, position: 4 }), '4');
      listeners[0]?.onEnd?.({ status: 'fail', count: 4 });
    });
    expect(screen.getByText('1 failed, 1 passed, 2 skipped (need the cluster)')).toBeTruthy();
  });

  it('asks for the secret, sends it once, and forgets it', async () => {
    const sent: unknown[] = [];
    const { listeners, container } = checking({
      createSecrets: async request => {
        sent.push(request.values);
        throw new ApiError(400, 'refused', 'Entra ID refuses it.', 'Enter it again.');
      }
    });
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: 'Run checks' }));
    });
    act(() => listeners[0]?.onItem(fault, '1'));
    fireEvent.click(screen.getByRole('button', { name: /^Fix: / }));
    const secret = screen.getByLabelText('Client secret');
    expect(secret).toMatchObject({ type: 'password', autocomplete: 'off' });
    expect(document.activeElement).toBe(screen.getByLabelText('Client ID'));
    expect(await serious(container)).toEqual([]);
    fireEvent.change(secret, { target: { value: 'hunter2-value' } });
    await act(async () => {
      fireEvent.submit(screen.getByRole('form', { name: 'Service principal' }));
    });
    expect(sent).toEqual([{ client_secret: 'hunter2-value' }]);
    expect(secret).toHaveProperty('value', '');
    expect(document.body.innerHTML).not.toContain('hunter2-value');
    expect(screen.getByText(/Entra ID refuses it/)).toBeTruthy();
  });

  it('turns green by itself once it is fixed', async () => {
    const attach = {
      ...fault,
      fixes: [{ tool: 'fairing-azure' as const, command: 'fairing-azure secrets attach' }]
    };
    const { listeners } = checking({ attachSecret: async () => [] });
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: 'Run checks' }));
    });
    act(() => {
      listeners[0]?.onItem(attach, '1');
      listeners[0]?.onEnd?.({ status: 'fail', count: 1 });
    });
    await act(async () => {
      fireEvent.click(screen.getByRole('button', { name: /^Fix: / }));
    });
    act(() => listeners[1]?.onItem({ ...attach, status: 'pass', fixable: false }, '1'));
    expect(screen.getByRole('button', { name: /Push to the registry.*passed/ })).toBeTruthy();
    expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Run checks again' }));
  });
});

import { describe, expect, it } from 'vitest';

import { ApiError, type StreamListener } from '../src/api';
import { ChecksModel } from '../src/models/checks';
import { fixRequestOf } from '../src/models/fix';
import type { ISources } from '../src/types';
import { checkOf, fakeApi } from './support/fakes';

type Listener = StreamListener<'checks/{check}/events'>;

const NOTEBOOK = { path: 'a.ipynb', content: '{}' };

function checking(more: Parameters<typeof fakeApi>[0] = {}) {
  const listeners: Listener[] = [];
  const cancelled: string[] = [];
  const sources: { now: ISources } = { now: { notebook: NOTEBOOK, profile: null, values: {} } };
  const api = fakeApi({
    startCheck: async () => `check-${listeners.length}`,
    followCheck: (_id, listener) => {
      listeners.push(listener);
      return { isDisposed: false, dispose: () => undefined };
    },
    cancelCheck: async id => void cancelled.push(id),
    ...more
  });
  const model = new ChecksModel(api, () => sources.now);
  return { model, listeners, cancelled, sources };
}

describe('the checks model', () => {
  it('puts results in the order in which they are read, however they come in', async () => {
    const { model, listeners } = checking();
    await model.start();
    listeners[0]?.onItem(checkOf({ check: 'b', position: 2 }), '1');
    listeners[0]?.onItem(checkOf({ check: 'a', position: 1, status: 'pass' }), '2');
    expect(model.results.map(each => each.check)).toEqual(['a', 'b']);
    listeners[0]?.onEnd?.({ status: 'fail', count: 2 });
    expect(model.state).toBe('done');
    expect(model.counts).toMatchObject({ all: 2, pass: 1, fail: 1 });
  });

  it('shows a result once, also if a resumed stream sends it twice', async () => {
    const { model, listeners } = checking();
    await model.start();
    listeners[0]?.onItem(checkOf(), '1');
    listeners[0]?.onItem(checkOf({ status: 'pass' }), '1');
    expect(model.results.map(each => each.status)).toEqual(['pass']);
  });

  it('keeps what was found when it is cancelled, and stops the server', async () => {
    const { model, listeners, cancelled } = checking();
    await model.start();
    listeners[0]?.onItem(checkOf(), '1');
    model.cancel();
    listeners[0]?.onItem(checkOf({ check: 'late' }), '2');
    expect(model.state).toBe('cancelled');
    expect(cancelled).toEqual(['check-0']);
    expect(model.results).toHaveLength(1);
  });

  it('says why it could not begin', async () => {
    const { model } = checking({
      startCheck: async () => {
        throw new ApiError(503, 'busy', 'The server is busy.', 'Wait.');
      }
    });
    await model.start();
    expect(model.state).toBe('broken');
    expect(model.error?.hint).toBe('Wait.');
  });

  it('says which notebook its results are for, also when another one was chosen', async () => {
    const { model, sources } = checking();
    await model.start();
    sources.now = { ...sources.now, notebook: { path: 'b.ipynb', content: '{}' } };
    expect(model.path).toBe('a.ipynb');
  });

  it('fixes what was checked, checks it again, and holds no secret afterwards', async () => {
    const sent: unknown[] = [];
    const { model, listeners, sources } = checking({
      createSecrets: async request => {
        sent.push(request);
        return [];
      }
    });
    await model.start();
    sources.now = { ...sources.now, notebook: { path: 'b.ipynb', content: '{}' } };
    const fix = { kind: 'secrets', azure: true, acr: false, only_secret: false, replace: false };
    const done = await model.fix(fix as never, { client_secret: 'hunter2-value' });
    expect(done).toBe(true);
    expect(sent).toMatchObject([
      { sources: { notebook: NOTEBOOK }, acr: false, values: { client_secret: 'hunter2-value' } }
    ]);
    expect(listeners).toHaveLength(2);
    expect(JSON.stringify(model, withoutCycles())).not.toContain('hunter2-value');
  });

  it('keeps the results where a fix fails', async () => {
    const { model, listeners } = checking({
      attachSecret: async () => {
        throw new ApiError(403, 'forbidden', 'You may not.', 'Ask.');
      }
    });
    await model.start();
    listeners[0]?.onItem(checkOf(), '1');
    expect(await model.fix({ kind: 'attach' })).toBe(false);
    expect(model.fixError?.message).toBe('You may not.');
    expect(model.results).toHaveLength(1);
  });
});

describe('the fix of a failed check', () => {
  const fixFor = (command: string) =>
    fixRequestOf(checkOf({ mendable: true, cures: [{ tool: 'fairing-azure', command }] }));

  it('is what the command of the check does', () => {
    expect(fixFor('fairing-azure secrets attach')).toEqual({ kind: 'attach' });
    expect(fixFor('fairing-azure secrets create --acr --replace')).toEqual({
      kind: 'secrets',
      azure: false,
      acr: true,
      only_secret: false,
      replace: true
    });
    expect(fixFor('fairing-azure secrets create')).toMatchObject({ azure: true, acr: true });
    expect(fixFor('fairing-azure secrets rotate')).toMatchObject({ only_secret: true });
  });

  it('is nothing where the panel can not do it', () => {
    expect(fixFor('fairing-azure settings')).toBeNull();
    expect(fixRequestOf(checkOf())).toBeNull();
  });
});

function withoutCycles(): (key: string, value: unknown) => unknown {
  const seen = new WeakSet<object>();
  return (_key, value) => {
    if (typeof value === 'object' && value !== null) {
      if (seen.has(value)) {
        return undefined;
      }
      seen.add(value);
    }
    return value;
  };
}

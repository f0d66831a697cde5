import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { LogModel, MOST_WINDOWS, WINDOW } from '../src/models/log';
import { FakeRuns } from './fake_runs';

let server: FakeRuns;
let log: LogModel;

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeRuns();
});

afterEach(() => {
  log.dispose();
  vi.useRealTimers();
});

async function opened(lines: number): Promise<LogModel> {
  server.lines = Array.from({ length: lines }, (_, at) => `line ${at}`);
  log = new LogModel(server.api, 'r1');
  await vi.advanceTimersByTimeAsync(10);
  return log;
}

async function look(first: number): Promise<void> {
  log.want(first, first + 15);
  await vi.advanceTimersByTimeAsync(100);
}

test('a log of a million lines shows the lines that are looked at', async () => {
  await opened(1_000_000);
  await look(654_321);
  expect(log.total).toBe(1_000_000);
  expect(log.line(654_321)).toBe('line 654321');
  expect(log.line(100_000)).toBeNull();
});

test('a log keeps no more than its windows however far one scrolls', async () => {
  await opened(1_000_000);
  for (let first = 0; first < 100 * WINDOW; first += WINDOW) {
    await look(first);
  }
  expect(log.size).toBeLessThanOrEqual(MOST_WINDOWS);
  expect(log.line(99 * WINDOW)).toBe(`line ${99 * WINDOW}`);
});

test('what was scrolled over quickly is not asked for', async () => {
  await opened(1_000_000);
  server.logRequests = [];
  for (let first = 0; first < 900_000; first += 3000) {
    log.want(first, first + 15);
  }
  await vi.advanceTimersByTimeAsync(200);
  expect(server.logRequests.length).toBeLessThanOrEqual(2);
  expect(log.line(897_000)).toBe('line 897000');
});

test('windows that come short are filled up', async () => {
  await opened(1000);
  const whole = server.log.bind(server);
  server.log = (id, first, count) => whole(id, first, Math.min(count, 7));
  await look(600);
  expect(log.line(614)).toBe('line 614');
});

test('a log that grows shows what has come', async () => {
  server.logEnded = false;
  await opened(5);
  server.lines.push('the news');
  await vi.advanceTimersByTimeAsync(1500);
  expect(log.total).toBe(6);
  expect(log.line(5)).toBe('the news');
});

test('a last line that was not whole is whole later', async () => {
  server.logEnded = false;
  await opened(1);
  server.lines[0] = 'line 0 and its end';
  await vi.advanceTimersByTimeAsync(1500);
  expect(log.line(0)).toBe('line 0 and its end');
});

test('a log that has ended is not asked for again', async () => {
  await opened(5);
  server.logRequests = [];
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.logRequests).toEqual([]);
});

test('a log that was begun anew drops the old lines', async () => {
  server.logEnded = false;
  await opened(500);
  await look(0);
  server.lines = ['fresh'];
  await vi.advanceTimersByTimeAsync(3000);
  expect(log.total).toBe(1);
  expect(log.line(0)).toBe('fresh');
});

test('lines that could not be got are got when the server answers again', async () => {
  await opened(1000);
  server.failure = new Error('down');
  await look(500);
  expect(log.error?.message).toBe('down');
  server.failure = null;
  log.retry();
  await vi.advanceTimersByTimeAsync(100);
  expect(log.error).toBeNull();
  expect(log.line(500)).toBe('line 500');
});

test('a search goes on step by step until it finds', async () => {
  await opened(1000);
  server.lines[873] = 'the NEEDLE';
  await log.search.find('needle');
  expect([log.search.state, log.search.line]).toEqual(['found', 873]);
});

test('the next search goes on behind the match, and at the start when the end is reached', async () => {
  await opened(1000);
  server.lines[10] = 'needle';
  server.lines[900] = 'needle';
  const found: (number | null)[] = [];
  for (let turn = 0; turn < 3; turn++) {
    await log.search.find('needle');
    found.push(log.search.line);
  }
  expect(found).toEqual([10, 900, 10]);
  expect(log.search.state).toBe('wrapped');
});

test('a search backward finds the first line too', async () => {
  await opened(1000);
  server.lines[0] = 'needle';
  await log.search.find('needle', true, 999);
  expect(log.search.line).toBe(0);
});

test('a match at the first line is left backward for the last one', async () => {
  await opened(1000);
  server.lines[0] = 'needle';
  server.lines[700] = 'needle';
  await log.search.find('needle');
  await log.search.find('needle', true);
  expect(log.search.line).toBe(700);
});

test('a text without a match is reported', async () => {
  await opened(1000);
  await log.search.find('absent', false, 500);
  expect([log.search.state, log.search.line]).toEqual(['nothing', null]);
});

test('a server that does not come further is not asked for ever', async () => {
  await opened(1000);
  let asked = 0;
  server.searchLog = async (_id, _text, first) => {
    asked += 1;
    return Promise.resolve({ line: null, scanned_to: first });
  };
  await log.search.find('absent');
  expect(log.search.state).toBe('nothing');
  expect(asked).toBeLessThan(3);
});

test('a search that is stopped reports nothing more', async () => {
  await opened(100_000);
  server.step = 10;
  server.lines[99_999] = 'needle';
  const searching = log.search.find('needle');
  await Promise.resolve();
  log.search.cancel();
  await searching;
  expect([log.search.state, log.search.line]).toEqual(['idle', null]);
});

test('a new search puts an old one that is slower aside', async () => {
  await opened(10_000);
  server.lines[9_000] = 'late';
  server.lines[5] = 'early';
  const late = log.search.find('late');
  const early = log.search.find('early');
  await Promise.all([late, early]);
  expect([log.search.text, log.search.line]).toEqual(['early', 5]);
});

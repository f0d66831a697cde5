/** The log of a run, of which only the visible lines are in the page. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon, downloadIcon, fastForwardIcon } from '@jupyterlab/ui-components';
import {
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  type KeyboardEvent
} from 'react';

import { LogModel, type LogApi } from '../models/log';
import { LINE_HEIGHT, LogGeometry, pieces, shownLine } from '../models/log_lines';
import type { IHost } from '../models/panel';
import { LogSearchBar } from './log_search_bar';
import { Closable } from './regions';
import { ErrorAlert } from './error_alert';
import { Icon } from './run_state';
import { useSignals } from './signals';

/** Lines that are in the page above and below the visible ones. */
const MARGIN = 12;

/** What the log of a run gets. */
export interface ILogPaneProps {
  readonly api: LogApi;
  readonly id: string;
  readonly host: IHost;
  readonly trans: TranslationBundle;
  readonly onClose: () => void;
}

/** The log of a run, as long as it is shown. */
export function LogPane(props: ILogPaneProps): JSX.Element | null {
  const { api, id } = props;
  const [log, setLog] = useState<LogModel | null>(null);
  useEffect(() => {
    const made = new LogModel(api, id);
    setLog(made);
    return () => made.dispose();
  }, [api, id]);
  return log && !log.isDisposed ? <LogView {...props} log={log} /> : null;
}

/** Search, lines, and what to do with them. */
export function LogView(props: ILogPaneProps & { readonly log: LogModel }): JSX.Element {
  const { log, host, trans, onClose } = props;
  useSignals(log.changed, log.search.changed);
  const lines = useRef<HTMLDivElement>(null);
  const first = useRef(0);
  const isAtEnd = log.isFollowing;
  // Whoever opens a log at the panel's lower edge wants to see its end, which is where it begins.
  useEffect(() => {
    lines.current?.parentElement?.scrollIntoView?.({ block: 'nearest' });
  }, [log]);
  return (
    <Closable className="jp-fairing-az-log" label={trans.__('Log of the run')} onClose={onClose}>
      <LogSearchBar
        search={log.search}
        total={log.total}
        from={() => first.current}
        trans={trans}
      />
      <LogLines
        log={log}
        box={lines}
        trans={trans}
        onFirst={line => {
          first.current = line;
        }}
      />
      <ErrorAlert error={log.error} trans={trans} onRetry={() => log.retry()} />
      <div className="jp-fairing-az-run-line">
        <span className="jp-fairing-az-quiet">
          {log.isReady ? trans._n('%1 line', '%1 lines', log.total) : trans.__('Loading…')}
          {log.isReady && !log.ended ? ` · ${trans.__('still running')}` : ''}
        </span>
        <span className="jp-fairing-az-tools">
          <button
            type="button"
            className="jp-fairing-az-tool"
            aria-pressed={isAtEnd}
            title={trans.__('Follow the log')}
            aria-label={trans.__('Follow the log')}
            onClick={() => log.setFollowing(!isAtEnd)}
          >
            <Icon icon={fastForwardIcon} />
          </button>
          <button
            type="button"
            className="jp-fairing-az-tool"
            title={trans.__('Download the log')}
            aria-label={trans.__('Download the log')}
            onClick={() => host.download(log.fileUrl, `${log.id}.log`)}
          >
            <Icon icon={downloadIcon} />
          </button>
          <button
            type="button"
            className="jp-fairing-az-tool"
            title={trans.__('Close the log')}
            aria-label={trans.__('Close the log')}
            onClick={onClose}
          >
            <Icon icon={closeIcon} />
          </button>
        </span>
      </div>
    </Closable>
  );
}

/** The lines that are seen. */
function LogLines(props: {
  readonly log: LogModel;
  readonly box: React.RefObject<HTMLDivElement>;
  readonly trans: TranslationBundle;
  readonly onFirst: (line: number) => void;
}): JSX.Element {
  const { log, box, trans, onFirst } = props;
  const [viewport, setViewport] = useState(15 * LINE_HEIGHT);
  const [top, setTop] = useState(0);
  /** The scroll bar's position that `top` has led to; another one was made by the user. */
  const written = useRef(0);
  /** Whether a match was found that was not yet brought into view sideways. */
  const sought = useRef(false);
  const widest = useRef(0);
  const geometry = new LogGeometry(log.total, viewport);
  const current = useRef({ geometry, top });
  current.current = { geometry, top };

  const move = useCallback(
    (to: number) => {
      const { geometry: now, top: before } = current.current;
      const after = now.clamp(to);
      current.current = { geometry: now, top: after };
      log.setFollowing(after >= now.mostTop - 1 && (after >= before || log.isFollowing));
      setTop(after);
    },
    [log]
  );

  useLayoutEffect(() => {
    const node = box.current;
    if (!node) {
      return undefined;
    }
    const measure = () => {
      if (node.clientHeight > 0) {
        setViewport(node.clientHeight);
      }
    };
    measure();
    const observer = typeof ResizeObserver === 'undefined' ? null : new ResizeObserver(measure);
    observer?.observe(node);
    // One turn of the wheel is as far as ever, also where the scroll bar's pixels stand for many lines.
    const onWheel = (event: WheelEvent) => {
      const { geometry: now, top: before } = current.current;
      if (
        now.isScaled &&
        !event.ctrlKey &&
        !event.shiftKey &&
        Math.abs(event.deltaY) > Math.abs(event.deltaX)
      ) {
        const unit = event.deltaMode === 1 ? LINE_HEIGHT : event.deltaMode === 2 ? now.viewport : 1;
        event.preventDefault();
        move(before + event.deltaY * unit);
      }
    };
    node.addEventListener('wheel', onWheel, { passive: false });
    return () => {
      observer?.disconnect();
      node.removeEventListener('wheel', onWheel);
    };
  }, [box, move]);

  const shownTop = log.isFollowing ? geometry.mostTop : geometry.clamp(top);
  const [first, behind] = geometry.seen(shownTop);
  // A browser scrolls before the page gets the event: the next lines have to be in the page already.
  const from = Math.max(0, first - MARGIN);
  const to = Math.min(log.total, behind + MARGIN);

  // After each drawing: a line that is looked at may have been dropped meanwhile. `top` is set only where it differs.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  useLayoutEffect(() => {
    const node = box.current;
    if (node) {
      if (shownTop !== top) {
        setTop(shownTop);
      }
      const wanted = Math.round(geometry.toScroll(shownTop));
      if (Math.abs(node.scrollTop - wanted) >= 1) {
        node.scrollTop = wanted;
      }
      written.current = node.scrollTop;
    }
    log.want(from, to);
    onFirst(first);
  });

  const match = log.search.line;
  useEffect(() => {
    if (match !== null) {
      const { geometry: now, top: before } = current.current;
      log.setFollowing(false);
      setTop(now.reveal(match, before));
      sought.current = true;
    }
  }, [log, match, log.search.state]);

  // After each drawing too: a line that has just come may be the widest, or the match.
  useLayoutEffect(() => {
    const range = box.current?.querySelector<HTMLElement>('.jp-fairing-az-log-range');
    if (!box.current || !range) {
      return;
    }
    // A long line that scrolls away must not take the position sideways with it.
    if (range.scrollWidth > widest.current) {
      widest.current = range.scrollWidth;
      range.style.minWidth = `${range.scrollWidth}px`;
    }
    const mark = sought.current && range.querySelector<HTMLElement>('.jp-mod-match mark');
    if (mark) {
      sought.current = false;
      const { scrollLeft, clientWidth } = box.current;
      const [start, end] = [mark.offsetLeft, mark.offsetLeft + mark.offsetWidth];
      if (start < scrollLeft || end > scrollLeft + clientWidth) {
        box.current.scrollLeft = Math.max(0, start - clientWidth / 2);
      }
    }
  });

  const onScroll = () => {
    const node = box.current;
    if (node && Math.abs(node.scrollTop - written.current) >= 1) {
      written.current = node.scrollTop;
      move(geometry.toTop(node.scrollTop));
    }
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: shownTop + LINE_HEIGHT,
      ArrowUp: shownTop - LINE_HEIGHT,
      PageDown: shownTop + geometry.viewport - LINE_HEIGHT,
      PageUp: shownTop - geometry.viewport + LINE_HEIGHT,
      Home: 0,
      End: geometry.mostTop
    };
    const wanted = moves[event.key];
    if (wanted !== undefined && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      event.stopPropagation();
      move(wanted);
    }
  };

  const rows: JSX.Element[] = [];
  for (let index = from; index < to; index++) {
    rows.push(<Line key={index} log={log} index={index} isMatch={index === match} trans={trans} />);
  }
  return (
    // Lines come too fast to be read out; whoever wants them moves through the region or downloads the file.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <div
      ref={box}
      className="jp-fairing-az-log-lines"
      role="log"
      aria-live="off"
      aria-label={trans.__('Log lines')}
      tabIndex={0}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
    >
      {log.isReady && log.total === 0 && (
        <p className="jp-fairing-az-quiet">
          {log.ended ? trans.__('This run wrote no output.') : trans.__('No output yet.')}
        </p>
      )}
      <div className="jp-fairing-az-log-range" style={{ height: geometry.height }}>
        {/* Placed at the scroll bar's position, as the range is not as high as all lines are. */}
        <div
          className="jp-fairing-az-log-window"
          style={{
            transform: `translateY(${geometry.toScroll(shownTop) - (shownTop - from * LINE_HEIGHT)}px)`
          }}
        >
          {rows}
        </div>
      </div>
    </div>
  );
}

function Line(props: {
  readonly log: LogModel;
  readonly index: number;
  readonly isMatch: boolean;
  readonly trans: TranslationBundle;
}): JSX.Element {
  const { log, index, isMatch, trans } = props;
  const line = log.line(index);
  if (line === null) {
    return (
      <div className="jp-fairing-az-log-line jp-mod-missing" data-line={index + 1}>
        {trans.__('line %1 …', index + 1)}
      </div>
    );
  }
  return (
    <div
      className={`jp-fairing-az-log-line ${isMatch ? 'jp-mod-match' : ''}`}
      data-line={index + 1}
    >
      {pieces(shownLine(line), log.search.text).map((piece, at) =>
        piece.isMatch ? <mark key={at}>{piece.text}</mark> : piece.text
      )}
    </div>
  );
}

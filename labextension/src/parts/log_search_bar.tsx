/** The search box above a log. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { caretDownIcon, caretUpIcon } from '@jupyterlab/ui-components';
import { useId, useState } from 'react';

import type { LogSearch } from '../models/log_search';
import { Icon } from './run_state';
import { errorText } from './server_text';

/** The search box, next and previous, and how the search is. */
export function LogSearchBar(props: {
  readonly search: LogSearch;
  readonly total: number;
  /** The line from which a new text is searched for. */
  readonly from: () => number;
  readonly trans: TranslationBundle;
}): JSX.Element {
  const { search, total, from, trans } = props;
  const id = useId();
  const [text, setText] = useState('');
  const find = (backward: boolean) => void search.find(text, backward, from());
  const isSearching = search.state === 'searching';
  return (
    <div className="jp-fairing-az-log-search" role="search" aria-label={trans.__('Search the log')}>
      <div className="jp-fairing-az-run-line">
        <label className="jp-fairing-az-unseen" htmlFor={`${id}-text`}>
          {trans.__('Search the log')}
        </label>
        <input
          id={`${id}-text`}
          type="search"
          className="jp-mod-styled"
          placeholder={trans.__('Search the log')}
          value={text}
          aria-describedby={`${id}-state`}
          onChange={event => {
            setText(event.target.value);
            if (event.target.value === '') {
              void search.find('');
            }
          }}
          onKeyDown={event => {
            if (event.key === 'Enter') {
              event.preventDefault();
              event.stopPropagation();
              find(event.shiftKey);
            } else if (event.key === 'Escape' && (isSearching || text)) {
              event.preventDefault();
              event.stopPropagation();
              search.cancel();
              setText('');
              void search.find('');
            }
          }}
        />
        <button
          type="button"
          className="jp-fairing-az-tool"
          title={trans.__('Previous (Shift+Enter)')}
          aria-label={trans.__('Previous match')}
          disabled={!text}
          onClick={() => find(true)}
        >
          <Icon icon={caretUpIcon} />
        </button>
        <button
          type="button"
          className="jp-fairing-az-tool"
          title={trans.__('Next (Enter)')}
          aria-label={trans.__('Next match')}
          disabled={!text}
          onClick={() => find(false)}
        >
          <Icon icon={caretDownIcon} />
        </button>
      </div>
      <div className="jp-fairing-az-run-line">
        <span id={`${id}-state`} role="status" className="jp-fairing-az-quiet">
          {stateText(search, total, trans)}
        </span>
        {isSearching && (
          <button type="button" className="jp-mod-styled" onClick={() => search.cancel()}>
            {trans.__('Stop')}
          </button>
        )}
      </div>
    </div>
  );
}

function stateText(search: LogSearch, total: number, trans: TranslationBundle): string {
  switch (search.state) {
    case 'searching':
      return trans.__('Searched %1 of %2 lines…', Math.min(search.scanned, total), total);
    case 'found':
      return trans.__('Line %1', (search.line ?? 0) + 1);
    case 'wrapped':
      return trans.__('Line %1 (search wrapped)', (search.line ?? 0) + 1);
    case 'nothing':
      return trans.__('“%1” is not in the log.', search.text);
    case 'failed':
      return search.error ? errorText(search.error, trans) : '';
    default:
      return '';
  }
}

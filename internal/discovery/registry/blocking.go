package registry

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// blocking queries Consul and Nomad, which hold a request until the result has a higher
// index than the one in the request: the "blocking queries" of both.
type blocking struct {
	*client
	indexField string        // header field with the index of an answer
	wait       time.Duration // longest time to hold a request
	index      uint64        // index of the last answer; 0 = request the present state
}

// Hold returns the longest time for an answer: both programs add up to a sixteenth of
// wait.
func (b *blocking) Hold() time.Duration { return b.wait + b.wait/16 + time.Second }

// next returns the body of the next answer.
func (b *blocking) next(ctx context.Context, fresh bool, path string, query url.Values) ([]byte, http.Header, error) {
	if fresh {
		b.index = 0
	}
	if b.index > 0 {
		query.Set("index", strconv.FormatUint(b.index, 10))
		query.Set("wait", strconv.Itoa(int(b.wait.Seconds()))+"s")
	}
	body, header, err := b.ask(ctx, request{method: http.MethodGet, path: path, query: query})
	if err != nil {
		return nil, nil, err
	}
	index, err := strconv.ParseUint(header.Get(b.indexField), 10, 64)
	if err != nil {
		return nil, nil, fmt.Errorf("the answer has no index (%s): is this the right address?", b.indexField)
	}
	// An index that decreases, for example after a restored snapshot, is useless for
	// the next query; one of 0 would not block.
	if index < b.index {
		index = 0
	}
	b.index = index
	return body, header, nil
}

// set adds the keys with a value.
func set(query url.Values, pairs ...string) url.Values {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	return query
}

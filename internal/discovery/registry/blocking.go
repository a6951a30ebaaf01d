package registry

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// blocking asks Consul and Nomad, which hold a request until what it asks for has an
// index beyond the one that the request has: the "blocking queries" of both.
type blocking struct {
	*client
	indexField string        // of an answer's header
	wait       time.Duration // how long a request may be held
	index      uint64        // of the last answer; 0 = ask for what there is
}

// Hold is how long an answer may take: both programs add up to a sixteenth of wait.
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
	// An index that goes back, as after a restored snapshot, means nothing to the next
	// question; one of 0 would not block.
	if index < b.index {
		index = 0
	}
	b.index = index
	return body, header, nil
}

// set adds keys that have values.
func set(query url.Values, pairs ...string) url.Values {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	return query
}

package diagnose

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// watched reports from time to time how much of a log has been read.
type watched struct {
	read atomic.Int64 // bytes read
	end  chan struct{}
	done sync.WaitGroup
}

const (
	firstWord = time.Second // time until the first report
	seldom    = time.Minute // time between later reports
)

// watchReading reports the progress of reading a log until stop; progress may be nil.
func watchReading(name string, progress func(string)) *watched {
	w := &watched{end: make(chan struct{})}
	if progress == nil {
		return w
	}
	w.done.Go(func() {
		began := time.Now()
		for wait := firstWord; ; wait = min(2*wait, seldom) {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
				progress(fmt.Sprintf("%s: %s read in %s", name, megabytes(w.read.Load()), time.Since(began).Round(time.Second)))
			case <-w.end:
				timer.Stop()
				return
			}
		}
	})
	return w
}

func (w *watched) stop() {
	close(w.end)
	w.done.Wait()
}

// reader counts the bytes read from in.
func (w *watched) reader(in io.Reader) io.Reader { return &countingReader{in, &w.read} }

type countingReader struct {
	io.Reader
	n *atomic.Int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n.Add(int64(n))
	return n, err
}

func megabytes(n int64) string {
	if n < 10<<20 {
		return fmt.Sprintf("%d KB", n>>10)
	}
	return fmt.Sprintf("%d MB", n>>20)
}

package gate

import "context"

// task is a goroutine with a way to end it and to wait for its end.
type task struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// begin runs f in a goroutine until stop, or until ctx ends.
func begin(ctx context.Context, f func(context.Context)) *task {
	ctx, cancel := context.WithCancel(ctx)
	t := &task{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(t.done)
		defer cancel()
		f(ctx)
	}()
	return t
}

// stop ends the task, and returns when it has ended. A nil task has ended.
func (t *task) stop() {
	if t != nil {
		t.cancel()
		<-t.done
	}
}

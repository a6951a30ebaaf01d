package gate

import (
	"bytes"
	"context"
	"errors"
	"os"
	"time"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/watch"
)

// watchQuiet is how long the file's folder must rest before the file is read.
const watchQuiet = 300 * time.Millisecond

// Watch calls [Gate.Reread] when the content of a file changes, until ctx ends.
func (g *Gate) Watch(ctx context.Context, file string) {
	f := follower{gate: g, file: file}
	watch.File{Path: file, Quiet: watchQuiet, Unwatched: func(err error) {
		g.log.Warn("the configuration file is looked at from time to time, since changes of its folder are not told",
			"every", watch.Every.String(), "error", err.Error())
	}}.Run(ctx, f.look)
}

// follower remembers the content of the configuration file.
type follower struct {
	gate    *Gate
	file    string
	content []byte // that was acted on; nil before the first look
}

// look reloads if the file has changed. One that could not be replaced for now is
// tried again at the next look.
func (f *follower) look() {
	content, err := os.ReadFile(f.file)
	if err != nil || f.content != nil && bytes.Equal(content, f.content) {
		return
	}
	if f.content == nil && !f.gate.outdated() {
		f.content = content
		return
	}
	if _, err := f.gate.Reread("file changed"); !errors.Is(err, errUpgrading) {
		f.content = content
	}
}

// outdated reports whether the file holds another configuration than the one in
// use, because it has changed since the start.
func (g *Gate) outdated() bool {
	if g.opts.Load == nil {
		return false
	}
	c, _, err := g.opts.Load()
	return err != nil || len(config.Diff(g.current.Load().config, c)) > 0
}

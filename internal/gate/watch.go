package gate

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/watch"
)

// watchQuiet is the time without changes in the files' folders before the files are read.
const watchQuiet = 300 * time.Millisecond

// Until ctx ends, Watch calls [Gate.Reread] when a configuration file changes, or a file
// that it includes or takes a secret from.
func (g *Gate) Watch(ctx context.Context, file string) {
	f := follower{gate: g, file: file}
	watch.File{Path: file, Quiet: watchQuiet, Folders: func() []string { return f.folders }, Unwatched: func(err error) {
		g.log.Warn("no change notifications for the configuration file: goodgate polls it",
			"every", watch.Every.String(), "error", err.Error())
	}}.Run(ctx, f.look)
}

// follower remembers the content of the configuration's files.
type follower struct {
	gate    *Gate
	file    string
	looked  bool
	content [sha256.Size]byte // the last content that was acted on
	folders []string
}

// look reloads if a file has changed. If an upgrade prevents the reload, the next look
// tries again.
func (f *follower) look() {
	content, folders, err := config.Inputs(f.file)
	if err != nil {
		return
	}
	f.folders = folders
	if f.looked && content == f.content {
		return
	}
	if !f.looked && !f.gate.outdated() {
		f.looked, f.content = true, content
		return
	}
	if _, err := f.gate.Reread("file changed"); !errors.Is(err, errUpgrading) {
		f.looked, f.content = true, content
	}
}

// outdated reports whether the file differs from the configuration in use, because it has
// changed since the start.
func (g *Gate) outdated() bool {
	if g.opts.Load == nil {
		return false
	}
	c, _, err := g.opts.Load()
	return err != nil || len(config.Diff(g.current.Load().config, c)) > 0
}

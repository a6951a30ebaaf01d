package gate

import (
	"cmp"
	"path/filepath"

	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/config"
)

// stateFile is the file's name in the folder that systemd gives.
const stateFile = "state.json"

// Changes returns the book of what operators have changed. It is safe for concurrent use.
func (g *Gate) Changes() *changes.Book { return g.changes }

// openChanges begins with what operators changed before.
func (g *Gate) openChanges(c *config.Config, left known) {
	file := c.State.File
	if g.opts.StateDir != "" {
		file = cmp.Or(file, filepath.Join(g.opts.StateDir, stateFile))
	}
	g.changes = changes.Open(changes.Options{File: file, Log: g.log, Inherit: left.Changes})
	g.pages = newPageStore(file, left.Pages)
	g.configs = openConfigHistory(file, g.log)
	g.changes.Follow(g.followClosures)
}

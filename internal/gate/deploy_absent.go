//go:build minimal

package gate

import (
	"context"
	"net/http"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/proxy"
)

// deploys is the stand-in in the minimal edition, which has no deploys.
type deploys struct{}

func deployEndpoints() []admin.Endpoint { return nil }

func (g *Gate) newDeploys() *deploys { return nil }

func (*deploys) Endpoints(func(*http.Request) string) []admin.Endpoint { return nil }
func (*deploys) Progress(string) string                                { return "" }
func (*deploys) Resume()                                               {}
func (*deploys) Run(context.Context)                                   {}
func (*deploys) Observe(*proxy.Record)                                 {}

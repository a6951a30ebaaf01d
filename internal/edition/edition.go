// Package edition reports which parts this build of goodgate has. The build tag minimal leaves
// out the parts that a proxy beside one application does not need.
package edition

// Minimal reports whether this build lacks HTTP/3, ACME, users with passwords, zstd, sources that
// ask another program, tracing, fleets, the dashboard, native histograms, the runtime's profiles,
// and the commands bench, convert, demo, deploy, diff, discover, doctor, explain, fmt, init and
// top. docs/install.md has the
// list for users.
//
// A part is left out by a file that has the same names without the work, called absent.go or ending in
// _absent.go, or by a check of Minimal: the compiler drops the code behind it.
const Minimal = minimal

// Name is full or minimal.
func Name() string {
	if Minimal {
		return "minimal"
	}
	return "full"
}

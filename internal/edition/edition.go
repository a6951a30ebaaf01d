// Package edition says which parts this build of goodgate has. The build tag minimal
// leaves out what the proxy beside one application does not need.
package edition

// Minimal reports whether HTTP/3, tracing, fleets, native histograms, the runtime's profiles,
// and the commands convert, doctor, bench, demo and top are left out.
const Minimal = minimal

// Name is full or minimal.
func Name() string {
	if Minimal {
		return "minimal"
	}
	return "full"
}

package config

// editionHas reports settings that this build does not support. They are errors, because
// silently ignored settings would be noticed too late.
func (v *validator) editionHas(minimal bool) {
	if !minimal {
		return
	}
	const absent = "the minimal edition of goodgate does not have %s: use the full edition"
	for i, l := range v.config.Listeners {
		if l.HTTP3.Enabled {
			v.errorf(index("listeners", i)+".http3.enabled", absent, "HTTP/3")
		}
		if l.TLS != nil && l.TLS.ACME != nil {
			v.errorf(index("listeners", i)+".tls.acme", absent, "ACME")
		}
	}
	for i, r := range v.config.Routes {
		if at := index("routes", i) + ".compress.encodings"; v.at.given(at) && r.Compress.has("zstd") {
			v.errorf(at, absent, "zstd")
		}
		if r.Access.Basic != nil {
			v.errorf(index("routes", i)+".access.basic", absent, "users with passwords")
		}
	}
	for name, p := range v.config.Pools {
		for i, u := range p.Upstreams {
			if r, ok := u.Registry(); ok {
				v.errorf(index("pools."+name+".upstreams", i)+"."+r.Key, absent, "sources that ask another program")
			}
		}
	}
	if v.config.Tracing.Endpoint != "" {
		v.errorf("tracing.endpoint", absent, "tracing")
	}
	if v.config.Metrics.Endpoint != "" {
		v.errorf("metrics.endpoint", absent, "OTLP")
	}
	if v.config.Log.Main().IsOTLP() {
		v.errorf("log.output", absent, "OTLP")
	}
	for i, o := range v.config.Log.Outputs {
		if o.IsOTLP() {
			v.errorf(index("log.outputs", i)+".output", absent, "OTLP")
		}
	}
	if v.config.Fleet != nil {
		v.errorf("fleet", absent, "fleets")
	}
}

"""For authors of backends and of tests: a fake backend, a conformance suite, and a look at what is left on the host.

* `isoscope.testing.conformance`: the suite that every backend passes; subclass `BackendConformance` in a test module.
* `isoscope.testing.fake`: `FakeBackend`, whose instances live in memory and do as they are told.
* `isoscope.testing.fixtures`: a pytest plugin with state directories, labs and the check that nothing is left.
* `isoscope.testing.host`: `HostSnapshot` and `HostWatch`, what carries our name on this host.
"""

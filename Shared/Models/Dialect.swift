/// Which document an appliance speaks by.
package enum Dialect: String, Sendable, CaseIterable { case epicura, webmacs, signaling, reefnet, oht50, generic }

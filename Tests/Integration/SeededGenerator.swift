import Foundation

/// SplitMix64: random choices that can be repeated from the seed a failed run has told.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// The seed in `MARTLET_CHAOS_SEED`, or a new one; written to standard error either way.
  static func announced() -> (generator: SeededGenerator, seed: UInt64) {
    let given = ProcessInfo.processInfo.environment["MARTLET_CHAOS_SEED"].flatMap { UInt64($0) }
    let seed = given ?? UInt64.random(in: 0...UInt64(UInt32.max))
    try? FileHandle.standardError.write(contentsOf: Data("chaos: MARTLET_CHAOS_SEED=\(seed)\n".utf8))
    return (SeededGenerator(seed: seed), seed)
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

#if canImport(Darwin)
  internal import Darwin
#else
  internal import Glibc
#endif

extension Timestamp {
  /// The system's clock now.
  package static func now() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
  }
}

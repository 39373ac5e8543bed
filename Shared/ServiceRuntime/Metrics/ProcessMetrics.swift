import FoundationEssentials
import Glibc

/// What Prometheus' own clients tell about a process, from Linux' `/proc`.
enum ProcessMetrics {
  static func samples(service: String) -> [MetricSample] {
    var samples = [
      MetricSample(
        "martlet_build_info",
        labels: [("service", service), ("version", BuildInfo.version), ("swift", BuildInfo.swiftVersion)], 1)
    ]
    if let stat = read("/proc/self/stat") {
      samples += statSamples(
        stat, pageBytes: Double(sysconf(Int32(_SC_PAGESIZE))), ticksPerSecond: Double(sysconf(Int32(_SC_CLK_TCK))),
        bootSeconds: bootSeconds())
    }
    if let descriptors = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
      samples.append(MetricSample("process_open_fds", Double(descriptors.count)))
    }
    if let limit = read("/proc/self/limits").flatMap(openFilesMax) { samples.append(MetricSample("process_max_fds", limit)) }
    return samples
  }

  /// - Parameter stat: The text of `/proc/self/stat` (proc(5)): its second field is the program's name in parentheses, which
  ///   may hold anything, so fields are counted from the last parenthesis.
  static func statSamples(_ stat: String, pageBytes: Double, ticksPerSecond: Double, bootSeconds: Double?) -> [MetricSample] {
    guard let end = stat.lastIndex(of: ")") else { return [] }
    let fields = stat[stat.index(after: end)...].split(separator: " ").map { Double($0) ?? 0 }
    // Field 3 of proc(5) is index 0 here.
    guard fields.count > 21 else { return [] }
    var samples = [
      MetricSample("process_cpu_seconds_total", kind: .counter, (fields[11] + fields[12]) / ticksPerSecond),
      MetricSample("process_threads", fields[17]),
      MetricSample("process_virtual_memory_bytes", fields[20]),
      MetricSample("process_resident_memory_bytes", fields[21] * pageBytes),
    ]
    if let bootSeconds {
      samples.append(MetricSample("process_start_time_seconds", bootSeconds + fields[19] / ticksPerSecond))
    }
    return samples
  }

  /// The soft limit of the line `Max open files            1024                 1048576              files`.
  static func openFilesMax(_ limits: String) -> Double? {
    let line = limits.split(separator: "\n").first { $0.hasPrefix("Max open files") }
    return line?.split(separator: " ").dropFirst(3).first.flatMap { Double($0) }
  }

  private static func bootSeconds() -> Double? {
    read("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst(6)) }
  }

  private static func read(_ path: String) -> String? {
    (try? BoundedFile.read(path, bytesMax: 1 << 20)).map { String(decoding: $0, as: UTF8.self) }
  }
}

# frozen_string_literal: true

# Homebrew as far as our formula relies on it: loads the formula file itself, fetches and checks what its url names, runs
# `install`, links what was installed into the prefix, and runs `test do`. A word of the formula that Homebrew has and this
# has not is an error here, so that none goes unproven in silence.
#
#   ruby brew.rb FORMULA PREFIX
#
# PREFIX/opt has the kegs that the formula depends on. Prints one line of JSON at the end: version, keg, the services of both
# systems, seconds.

require "digest"
require "fileutils"
require "json"
require "open3"
require "pathname"
require "socket"
require "tmpdir"
require "uri"

HOMEBREW_PREFIX = Pathname(ARGV.fetch(1)).realpath

class Failed < RuntimeError; end

# What Homebrew adds to the paths of Ruby.
class Pathname
  # Relative links, as Homebrew makes them: a keg can be moved.
  def install_symlink(*sources)
    mkpath
    sources.flatten.each do |source|
      target = Pathname(source)
      raise Failed, "#{target} is not there" unless target.exist?

      (self/target.basename).make_symlink(target.relative_path_from(self))
    end
  end
end

module PrependPath
  def prepend_path(key, path)
    self[key] = [path.to_s, self[key]].compact.join(":")
  end
end
ENV.extend(PrependPath)

module Language
  module Node
    # The first line of a program of Node becomes the Node that the formula depends on.
    module Shebang
      def detected_node_shebang
        nodes = self.class.dependencies.grep(/\Anode(@|\z)/)
        raise Failed, "the formula depends on #{nodes.length} of Node" unless nodes.length == 1

        "#!#{Formula[nodes.first].opt_bin}/node"
      end

      def rewrite_shebang(line, *files)
        files.each do |file|
          text = Pathname(file).read
          changed = text.sub(%r{\A#! ?(?:/usr/bin/(?:env )?)?node$}, line)
          raise Failed, "#{file} does not start Node" if changed == text

          Pathname(file).write(changed)
        end
      end
    end
  end
end

# The words of `service do`, for one system.
class Service
  VALUES = [:environment_variables, :process_type, :working_dir, :log_path, :error_log_path, :keep_alive].freeze
  # Each has a meaning on one system alone.
  PACES = { macos: :throttle_interval, linux: :restart_delay }.freeze

  attr_reader :told

  def initialize(formula, system, &block)
    @formula = formula
    @system = system
    @told = {}
    instance_eval(&block)
  end

  VALUES.each { |name| define_method(name) { |value| @told[name] = value } }

  def run(command)
    @told[:run] = command.map(&:to_s)
  end

  PACES.each do |system, name|
    define_method(name) do |value|
      raise Failed, "#{name} does nothing on #{@system}" unless @system == system

      @told[name] = value
    end
  end

  def on_macos
    yield if @system == :macos
  end

  def on_linux
    yield if @system == :linux
  end

  def opt_bin = @formula.opt_bin
  def var = @formula.var
end

# Another formula, or the Cellar's side of ours.
class Keg
  attr_reader :name

  def initialize(name)
    @name = name
    raise Failed, "#{opt_prefix} is not there" unless opt_prefix.directory?
  end

  def opt_prefix = HOMEBREW_PREFIX/"opt"/name
  def opt_bin = opt_prefix/"bin"
end

class Formula
  include FileUtils

  class << self
    attr_reader :told

    def inherited(formula)
      super
      formula.instance_variable_set(:@told, { depends_on: [], build: [] })
      @latest = formula
    end

    def latest = @latest

    [:desc, :homepage, :url, :sha256, :license].each { |name| define_method(name) { |value| @told[name] = value } }

    def depends_on(name) = @told[:depends_on] << name

    # macOS has it, Linux may: whichever is on the PATH here.
    def uses_from_macos(name) = @told[:build] << name

    def dependencies = @told[:depends_on]

    def service(&block) = @told[:service] = block

    def test(&block) = @told[:test] = block

    def [](name)
      raise Failed, "the formula does not depend on #{name}" unless @latest.dependencies.include?(name)

      Keg.new(name)
    end
  end

  attr_reader :testpath

  def told = self.class.told
  def name = "torrentino"

  # As Homebrew finds it in the address.
  def version
    told.fetch(:url)[/-(\d+\.\d+\.\d+)\.tgz\z/, 1] || raise(Failed, "#{told.fetch(:url)} has no version")
  end

  def prefix = HOMEBREW_PREFIX/"Cellar"/name/version
  def opt_prefix = HOMEBREW_PREFIX/"opt"/name
  def opt_bin = opt_prefix/"bin"
  def bin = prefix/"bin"
  def libexec = prefix/"libexec"
  def var = HOMEBREW_PREFIX/"var"
  def man1 = prefix/"share/man/man1"
  def man8 = prefix/"share/man/man8"

  def completions
    { bash: prefix/"etc/bash_completion.d", zsh: prefix/"share/zsh/site-functions", fish: prefix/"share/fish/vendor_completions.d" }
  end

  def system(*words)
    command = words.map(&:to_s)
    puts "==> #{command.join(" ")[0, 150]}"
    out, status = Open3.capture2e(*command, stdin_data: "")
    raise Failed, "#{command.first(4).join(" ")} ended with #{status.exitstatus}:\n#{out}" unless status.success?
  end

  def quiet_system(*words)
    Open3.capture2e(*words.map(&:to_s), stdin_data: "").last.success?
  end

  def shell_output(command)
    out, status = Open3.capture2(command)
    raise Failed, "#{command} ended with #{status.exitstatus}" unless status.success?

    out
  end

  # A package out of the folder, and no script of any package run.
  def std_npm_args
    manifest = JSON.parse(File.read("package.json"))
    manifest.fetch("scripts", {}).delete("prepare")
    File.write("package.json", JSON.pretty_generate(manifest))
    packed = shell_output("npm pack --silent --ignore-scripts").lines.last.chomp
    (libexec/"lib").mkpath
    root = Process.uid.zero? ? ["--unsafe-perm"] : []
    ["-ddd", "--global", "--build-from-source", "--ignore-scripts", "--prefix=#{libexec}", File.join(Dir.pwd, packed), *root]
  end

  def generate_completions_from_executable(program, *words, base_name:, shells:)
    names = { bash: base_name, zsh: "_#{base_name}", fish: "#{base_name}.fish" }
    shells.each do |shell|
      completions.fetch(shell).mkpath
      out, status = Open3.capture2(program.to_s, *words, shell.to_s)
      raise Failed, "no completion for #{shell}" unless status.success? && !out.empty?

      (completions.fetch(shell)/names.fetch(shell)).write(out)
    end
  end

  def assert_equal(expected, actual)
    raise Failed, "#{actual.inspect} is not #{expected.inspect}" unless expected == actual
  end

  def assert_path_exists(path)
    raise Failed, "#{path} is not there" unless path.exist?
  end

  def free_port
    server = TCPServer.new("127.0.0.1", 0)
    server.addr[1]
  ensure
    server&.close
  end

  # Fetched, checked, unpacked and installed in a folder that is then gone.
  def build
    archive = URI.decode_www_form_component(told.fetch(:url).delete_prefix("file://"))
    digest = Digest::SHA256.file(archive).hexdigest
    raise Failed, "SHA-256 of #{archive} is #{digest}, not #{told.fetch(:sha256)}" unless digest == told.fetch(:sha256)

    Dir.mktmpdir("torrentino-build-") do |folder|
      system "tar", "-xzf", archive, "-C", folder
      prefix.mkpath
      Dir.chdir(File.join(folder, "package")) { install }
    end
    opt_prefix.dirname.mkpath
    opt_prefix.make_symlink(prefix.relative_path_from(opt_prefix.dirname))
    link
  end

  # Files of the keg, seen from the prefix; of libexec none.
  def link
    %w[bin etc share].each do |part|
      (prefix/part).find do |file|
        next if file.directory?

        place = HOMEBREW_PREFIX/file.relative_path_from(prefix)
        place.dirname.install_symlink(file)
      end
    end
  end

  # In a folder that is HOME, with the programs of the system alone: no Node but the one the formula names.
  def prove
    Dir.mktmpdir("torrentino-test-") do |folder|
      @testpath = Pathname(folder).realpath
      before = ENV.to_h
      ENV.replace("PATH" => "/usr/bin:/bin", "HOME" => folder)
      Dir.chdir(folder) { instance_eval(&told.fetch(:test)) }
    ensure
      ENV.replace(before)
    end
  end
end

def timed
  before = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  yield
  (Process.clock_gettime(Process::CLOCK_MONOTONIC) - before).round(1)
end

begin
  load File.expand_path(ARGV.fetch(0))
  formula = Formula.latest.new
  services = [:macos, :linux].to_h { |system| [system, Service.new(formula, system, &formula.told.fetch(:service)).told] }
  path = ENV.fetch("PATH")
  built = timed { formula.build }
  ENV["PATH"] = path
  proven = timed { formula.prove }
  puts JSON.generate(version: formula.version, keg: formula.prefix, services: services, built: built, proven: proven)
rescue Failed => e
  warn "FAILED: #{e.message}"
  exit 1
end

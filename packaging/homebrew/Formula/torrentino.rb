# The formula of Torrentino's tap. The three words between @ are put in by `npm run build:tap` and `npm run release`
# (packaging/homebrew/README.md): as it stands here it names no release.
class Torrentino < Formula
  include Language::Node::Shebang

  desc "BitTorrent daemon and command-line for people who leave it running"
  homepage "@HOMEPAGE@"
  url "@URL@"
  sha256 "@SHA256@"
  license "MIT"

  # Versioned, so that an upgrade of Homebrew's `node` leaves the native module alone.
  depends_on "node@24"

  # For node-gyp; the compiler is there wherever Homebrew is.
  uses_from_macos "python" => :build

  def install
    node = Formula["node@24"]
    ENV.prepend_path "PATH", node.opt_bin
    system "npm", "install", *std_npm_args

    # npm ran no scripts, and what it might have brought is for whichever Node it knows: SQLite is compiled here for the
    # one above, with the headers that lie beside it. A setting of npm would win over the option, so both are given.
    ENV["npm_config_nodedir"] = node.opt_prefix.to_s
    package = libexec/"lib/node_modules/torrentino"
    cd package/"node_modules/better-sqlite3" do
      system "npm", "run", "build-release", "--", "--nodedir=#{node.opt_prefix}"
      rm_r Dir["build/Release/{obj,obj.target,.deps,sqlite3.a,test_extension.node}"]
    end

    # Else the programs would run on the first `node` of whoever calls them.
    rewrite_shebang detected_node_shebang, package/"dist/ctl/torrentinoctl.js", package/"dist/daemon/bin.js"
    bin.install_symlink libexec.glob("bin/*")
    man1.install_symlink package/"docs/man/torrentinoctl.1"
    man8.install_symlink package/"docs/man/torrentinod.8"
    generate_completions_from_executable(bin/"torrentinoctl", "completion",
                                         base_name: "torrentinoctl", shells: [:bash, :zsh, :fish])
  end

  service do
    run [opt_bin/"torrentinod"]
    process_type :interactive
    working_dir "/"
    # What is printed before the log of the daemon is open, and what Node says when it dies.
    log_path var/"log/torrentino.log"
    error_log_path var/"log/torrentino.log"
    # A clean stop exits with 0 and stays down; a crash or a kill brings it back, not faster than every 10 seconds.
    on_macos do
      environment_variables UV_THREADPOOL_SIZE: "8", NODE_OPTIONS: "--max-semi-space-size=1",
                            TORRENTINO_OWNER: "service"
      keep_alive successful_exit: false
      throttle_interval 10
    end
    on_linux do
      environment_variables UV_THREADPOOL_SIZE: "8", NODE_OPTIONS: "--max-semi-space-size=1",
                            MALLOC_MMAP_THRESHOLD_: "65536", MALLOC_TRIM_THRESHOLD_: "131072",
                            TORRENTINO_OWNER: "service"
      keep_alive crashed: true
      restart_delay 10
    end
  end

  # One daemon has a file, the other fetches it from a magnet link that names the first one's port.
  test do
    require "digest"

    ENV["TORRENTINO_NET"] = "loopback"
    ctl = bin/"torrentinoctl"
    assert_equal version.to_s, shell_output("#{bin}/torrentinod --version").strip

    content = Random.bytes(300_000)
    hashes = (0...content.bytesize).step(2**16).map { |at| Digest::SHA1.digest(content.byteslice(at, 2**16)) }.join
    info = "d6:lengthi#{content.bytesize}e4:name8:book.bin12:piece lengthi#{2**16}e6:pieces#{hashes.bytesize}:".b
    info << hashes << "e"
    mkdir_p testpath/"copies"
    (testpath/"copies/book.bin").binwrite content
    (testpath/"book.torrent").binwrite "d4:info".b + info + "e"

    ports = { has: free_port, wants: free_port }
    ports.each do |home, port|
      mkdir_p testpath/home.to_s, mode: 0700
      (testpath/home.to_s/"config.toml").write <<~TOML
        [listen]
        host = "127.0.0.1"
        port = #{port}
        [dht]
        enabled = false
        [lsd]
        enabled = false
      TOML
      system ctl, "--home", testpath/home.to_s, "daemon", "start"
    end

    system ctl, "--home", testpath/"has", "add", testpath/"book.torrent", "--dir", testpath/"copies"
    system ctl, "--home", testpath/"has", "wait", "all", "--timeout", "60s"
    link = "magnet:?xt=urn:btih:#{Digest::SHA1.hexdigest(info)}&x.pe=127.0.0.1:#{ports.fetch(:has)}"
    system ctl, "--home", testpath/"wants", "add", link, "--dir", testpath/"downloads"
    system ctl, "--home", testpath/"wants", "wait", "all", "--timeout", "60s"
    assert_path_exists testpath/"downloads/book.bin"
    assert_equal Digest::SHA1.hexdigest(content), Digest::SHA1.file(testpath/"downloads/book.bin").hexdigest
  ensure
    %w[has wants].each { |home| quiet_system ctl, "--home", testpath/home, "daemon", "stop" }
  end
end

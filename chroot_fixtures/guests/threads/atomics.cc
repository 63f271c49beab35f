// C++ threads: atomics of all widths, waiting on atomics, mutexes, condition variables, futures, exceptions in threads.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static const int threads = 8, rounds = 2000;

template <class Function> static void run(int count, Function function)
{
    std::vector<std::thread> all;
    for (int i = 0; i < count; i++) all.emplace_back(function, i);
    for (auto &thread : all) thread.join();
}

template <class T> static void width(const char *name)
{
    std::atomic<T> sum{0}, bits{0}, most{0}, exchanged{0};
    std::atomic<long> lost{0};
    run(threads, [&](int me) {
        T mine = 0;
        for (int i = 0; i < rounds; i++) {
            sum.fetch_add(3);
            bits.fetch_xor(T(1) << (me % 7));
            T seen = most.load();
            while (seen < T(i % 100) && !most.compare_exchange_weak(seen, T(i % 100))) {}
            mine = exchanged.exchange(mine);
            if (i % 256 == 0) std::this_thread::yield();
        }
        lost += mine;
    });
    printf("%s: %lld %lld %lld %ld\n", name, (long long)sum.load(), (long long)bits.load(), (long long)most.load(), lost.load());
}

struct Pair { int64_t a, b; };

static void wide()
{
    alignas(16) static Pair pair{0, 0};
    std::atomic_flag spin = ATOMIC_FLAG_INIT;
    long long plain = 0;
    run(threads, [&](int) {
        for (int i = 0; i < 500; i++) {
            while (spin.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
            plain++, pair.a++, pair.b--;
            spin.clear(std::memory_order_release);
        }
    });
    printf("spin lock: %lld %lld %lld\n", plain, (long long)pair.a, (long long)pair.b);
    std::atomic<double> real{0};
    run(threads, [&](int) {
        for (int i = 0; i < 500; i++) {
            double old = real.load();
            while (!real.compare_exchange_weak(old, old + 0.5)) {}
        }
    });
    printf("double: %.1f\n", real.load());
}

static void waiting()
{
    std::atomic<int> turn{0};
    int order = 0;
    bool wrong = false;
    run(4, [&](int me) {
        for (int i = 0; i < 100; i++) {
            int now;
            while ((now = turn.load()) % 4 != me) {
#if __cpp_lib_atomic_wait
                turn.wait(now);
#else
                std::this_thread::yield();
#endif
            }
            if (order++ != now) wrong = true;
            turn.store(now + 1);
#if __cpp_lib_atomic_wait
            turn.notify_all();
#endif
        }
    });
    printf("turns: %d %s\n", turn.load(), wrong ? "wrong" : "right");
}

static void conditions()
{
    std::mutex mutex;
    std::condition_variable change;
    std::vector<int> queue;
    long sum = 0;
    int finished = 0;
    std::vector<std::thread> all;
    for (int i = 0; i < 4; i++)
        all.emplace_back([&] {
            for (;;) {
                std::unique_lock lock(mutex);
                change.wait(lock, [&] { return !queue.empty() || finished == 4; });
                if (queue.empty()) return;
                sum += queue.back();
                queue.pop_back();
            }
        });
    for (int i = 0; i < 4; i++)
        all.emplace_back([&, i] {
            for (int n = 0; n < 250; n++) {
                std::lock_guard lock(mutex);
                queue.push_back(i * 250 + n);
                change.notify_one();
            }
            std::lock_guard lock(mutex);
            finished++;
            change.notify_all();
        });
    for (auto &thread : all) thread.join();
    printf("queue: %ld\n", sum);
    std::unique_lock lock(mutex);
    using namespace std::chrono_literals;
    printf("wait_for: %s\n", change.wait_for(lock, 2ms) == std::cv_status::timeout ? "timeout" : "woken");
    std::timed_mutex timed;
    timed.lock();
    run(1, [&](int) { printf("try_lock_for: %d\n", timed.try_lock_for(2ms)); });
    std::shared_mutex shared;
    long value = 0, torn = 0;
    run(threads, [&](int me) {
        for (int i = 0; i < 200; i++)
            if (me % 4 == 0) {
                std::unique_lock writer(shared);
                value++;
                std::this_thread::yield();
                value++;
            } else {
                std::shared_lock reader(shared);
                if (value % 2) torn++;
            }
    });
    printf("shared_mutex: %ld torn %ld\n", value, torn);
}

static thread_local std::string name = "fresh";

static void futures()
{
    std::promise<int> promise;
    auto answer = promise.get_future();
    std::thread giver([&] { promise.set_value(42); });
    printf("promise: %d\n", answer.get());
    giver.join();
    auto broken = std::async(std::launch::async, []() -> int { throw std::runtime_error("from a thread"); });
    try {
        broken.get();
    } catch (const std::exception &error) {
        printf("caught: %s\n", error.what());
    }
    std::vector<std::future<long>> parts;
    for (int i = 0; i < 4; i++)
        parts.push_back(std::async(std::launch::async, [i] {
            long part = 0;
            for (int n = i * 1000; n < (i + 1) * 1000; n++) part += n;
            return part;
        }));
    long total = 0;
    for (auto &part : parts) total += part.get();
    printf("async: %ld\n", total);
    std::once_flag flag;
    std::atomic<int> calls{0}, caught{0}, fresh{0};
    run(threads, [&](int me) {
        try {
            std::call_once(flag, [&] { if (calls++ < 2) throw me; });
        } catch (int) {
            caught++;
        }
        if (name == "fresh") fresh++;
        name = "thread " + std::to_string(me);
    });
    printf("call_once: %d calls, %d caught; thread_local %d %s\n", calls.load(), caught.load(), fresh.load(), name.c_str());
}

int main()
{
    width<int8_t>("8");
    width<uint16_t>("16");
    width<int32_t>("32");
    width<int64_t>("64");
    wide();
    waiting();
    conditions();
    futures();
}

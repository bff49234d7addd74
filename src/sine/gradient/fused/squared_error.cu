// The loss Σ e² with e = a x³ + b x² + c x + d - y, its gradient 2 Σ e (x³, x², x, 1), and one step
// of descent, in one pass over x and y and one launch.
//
// T is the dtype of x, y and the weights, C the one in which a point's terms are computed; whatever
// they are, at most AHEAD vectors' worth of terms are added up in C before they go into an f64.
//
// Every sum has one order, which depends on the number of points and of blocks alone: a thread's
// vectors in turn, the threads of a warp by halves, the warps of a block in turn, and, by the block
// that is done last, the blocks in the same way.
//
// cuda.rs compiles this and defines BLOCK, the threads of a block, and BLOCKS_A_PROCESSOR.

typedef unsigned long long u64;

// e², e x³, e x², e x, e
const int SUMS = 5;
const int WARP = 32;
// Vectors of x and of y that a thread asks for before it needs the first of them.
const int AHEAD = 4;

__device__ __forceinline__ float multiply_add(float a, float b, float c) { return __fmaf_rn(a, b, c); }
__device__ __forceinline__ double multiply_add(double a, double b, double c) { return __fma_rn(a, b, c); }

// w - rate * grad, each rounded by itself as tensor operations round it.
__device__ __forceinline__ float descend(float w, float rate, float grad) {
    return __fsub_rn(w, __fmul_rn(rate, grad));
}
__device__ __forceinline__ double descend(double w, double rate, double grad) {
    return __dsub_rn(w, __dmul_rn(rate, grad));
}

// As much as one load fetches: 16 bytes.
template <typename T> struct alignas(16) Vector {
    static const int LANES = 16 / sizeof(T);
    T lane[LANES];
};

// The elements from LANES * i on; PACKED is for those that lie side by side and aligned.
template <bool PACKED, typename T>
__device__ __forceinline__ Vector<T> load(const T* from, u64 stride, u64 i) {
    Vector<T> v;
    if (PACKED) {
        v = reinterpret_cast<const Vector<T>*>(from)[i];
    } else {
#pragma unroll
        for (int l = 0; l < Vector<T>::LANES; ++l) v.lane[l] = from[(i * Vector<T>::LANES + l) * stride];
    }
    return v;
}

template <typename C>
__device__ __forceinline__ void add(C (&sums)[SUMS], const C (&w)[4], C x, C y) {
    const C x2 = x * x;
    const C upper = multiply_add(w[0], x, w[1]);
    const C line = multiply_add(w[2], x, w[3] - y);
    const C e = multiply_add(upper, x2, line);
    sums[0] = multiply_add(e, e, sums[0]);
    sums[1] = multiply_add(e * x, x2, sums[1]);
    sums[2] = multiply_add(e, x2, sums[2]);
    sums[3] = multiply_add(e, x, sums[3]);
    sums[4] += e;
}

template <typename C, typename T>
__device__ __forceinline__ void add(C (&sums)[SUMS], const C (&w)[4], const Vector<T>& x, const Vector<T>& y) {
#pragma unroll
    for (int l = 0; l < Vector<T>::LANES; ++l) add(sums, w, C(x.lane[l]), C(y.lane[l]));
}

template <typename C>
__device__ __forceinline__ void fold(double (&total)[SUMS], const C (&sums)[SUMS]) {
#pragma unroll
    for (int k = 0; k < SUMS; ++k) total[k] += double(sums[k]);
}

// The sums over this thread's points.
template <bool PACKED, typename C, typename T>
__device__ __forceinline__ void pass(double (&total)[SUMS], const T* x, u64 x_stride, const T* y,
                                     u64 y_stride, u64 points, const C (&w)[4]) {
    const u64 step = u64(gridDim.x) * BLOCK;
    const u64 whole = points / Vector<T>::LANES;
    const u64 first = u64(blockIdx.x) * BLOCK + threadIdx.x;
    for (u64 i = first; i < whole; i += AHEAD * step) {
        Vector<T> xs[AHEAD], ys[AHEAD];
#pragma unroll
        for (int k = 0; k < AHEAD; ++k) {
            if (i + k * step < whole) {
                xs[k] = load<PACKED>(x, x_stride, i + k * step);
                ys[k] = load<PACKED>(y, y_stride, i + k * step);
            }
        }
        C sums[SUMS] = {};
#pragma unroll
        for (int k = 0; k < AHEAD; ++k) {
            if (i + k * step < whole) add(sums, w, xs[k], ys[k]);
        }
        fold(total, sums);
    }
    // The thread whose turn comes next has the points that fill no vector.
    if (first == whole % step) {
        C sums[SUMS] = {};
        for (u64 p = whole * Vector<T>::LANES; p < points; ++p) {
            add(sums, w, C(x[p * x_stride]), C(y[p * y_stride]));
        }
        fold(total, sums);
    }
}

// The sums over the threads of the block: the k-th in the k-th thread.
__device__ __forceinline__ double over_block(const double (&sums)[SUMS]) {
    __shared__ double warps[BLOCK / WARP][SUMS];
#pragma unroll
    for (int k = 0; k < SUMS; ++k) {
        double sum = sums[k];
#pragma unroll
        for (int offset = WARP / 2; offset > 0; offset /= 2) {
            sum += __shfl_down_sync(0xffffffffu, sum, offset);
        }
        if (threadIdx.x % WARP == 0) warps[threadIdx.x / WARP][k] = sum;
    }
    __syncthreads();
    double total = 0;
    if (threadIdx.x < SUMS) {
        for (int warp = 0; warp < BLOCK / WARP; ++warp) total += warps[warp][threadIdx.x];
    }
    // It is written again by the block that is done last.
    __syncthreads();
    return total;
}

// Whether this block is the last of all to come here; it then sees what the others have written.
// `done` is 0 before and after.
__device__ __forceinline__ bool is_last(unsigned int* done) {
    __shared__ bool last;
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        last = atomicInc(done, gridDim.x - 1) == gridDim.x - 1;
        __threadfence();
    }
    __syncthreads();
    return last;
}

// scratch: 1 + SUMS * blocks words, the first of them zero, which it is again afterwards.
// loss: one element. step: eight, the gradient and then the weights after one step at the rate.
template <typename C, typename T>
__device__ __forceinline__ void squared_error(const T* x, u64 x_stride, const T* y, u64 y_stride,
                                              u64 points, const T* weights, u64 weights_stride,
                                              T rate, double* scratch, T* loss, T* step) {
    C w[4];
    for (int k = 0; k < 4; ++k) w[k] = C(weights[k * weights_stride]);
    const bool packed = x_stride == 1 && y_stride == 1 &&
                        (reinterpret_cast<u64>(x) | reinterpret_cast<u64>(y)) % sizeof(Vector<T>) == 0;
    double sums[SUMS] = {};
    if (packed) pass<true>(sums, x, x_stride, y, y_stride, points, w);
    else pass<false>(sums, x, x_stride, y, y_stride, points, w);

    volatile double* partial = scratch + 1;
    const double in_block = over_block(sums);
    if (threadIdx.x < SUMS) partial[blockIdx.x * SUMS + threadIdx.x] = in_block;
    if (!is_last(reinterpret_cast<unsigned int*>(scratch))) return;

    for (int k = 0; k < SUMS; ++k) sums[k] = 0;
    for (unsigned int block = threadIdx.x; block < gridDim.x; block += BLOCK) {
        for (int k = 0; k < SUMS; ++k) sums[k] += partial[block * SUMS + k];
    }
    const double total = over_block(sums);
    if (threadIdx.x == 0) *loss = T(total);
    if (threadIdx.x == 0 || threadIdx.x >= SUMS) return;
    const int k = threadIdx.x - 1;
    const T grad = T(2 * total);
    step[k] = grad;
    step[4 + k] = descend(weights[k * weights_stride], rate, grad);
}

#define KERNEL(NAME, T, C)                                                                          \
    extern "C" __global__ void __launch_bounds__(BLOCK, BLOCKS_A_PROCESSOR)                         \
        NAME(const T* x, u64 x_stride, const T* y, u64 y_stride, u64 points, const T* weights,      \
             u64 weights_stride, T rate, double* scratch, T* loss, T* step) {                       \
        squared_error<C>(x, x_stride, y, y_stride, points, weights, weights_stride, rate, scratch,  \
                         loss, step);                                                               \
    }

KERNEL(squared_error_f32_in_f32, float, float)
KERNEL(squared_error_f32_in_f64, float, double)
KERNEL(squared_error_f64_in_f64, double, double)
